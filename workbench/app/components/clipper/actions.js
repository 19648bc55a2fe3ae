// Every key and what it does, in the order of the help. `repeats`: holding the key down goes on.

const ACTIONS = [
  { name: "play", keys: [" "], caps: ["␣"], words: "Play from here; stop" },
  { name: "listen", keys: ["l"], words: "Hear the frame again" },
  { name: "ending", keys: ["e"], words: "Hear how it ends" },
  { name: "next", keys: ["n"], words: "Next proposal, and hear it" },
  { name: "previous", keys: ["p"], words: "Back to the one before" },
  { name: "cut", keys: ["x", "enter"], caps: ["x", "↵"], words: "Cut the frame; after a proposal the next one plays" },
  { name: "skip", keys: ["s"], words: "Not this one; the next one plays" },
  { name: "undo", keys: ["backspace"], caps: ["⌫"], words: "Take back what was done last" },
  { name: "earlier", keys: ["arrowleft"], caps: ["←"], words: "Frame 10 ms earlier", repeats: true },
  { name: "later", keys: ["arrowright"], caps: ["→"], words: "Frame 10 ms later", repeats: true },
  { name: "onset_before", keys: ["shift+arrowleft"], caps: ["⇧ ←"], words: "To the pause before", repeats: true },
  { name: "onset_after", keys: ["shift+arrowright"], caps: ["⇧ →"], words: "To the pause after", repeats: true },
  { name: "slower", keys: [","], words: "Play slower" },
  { name: "faster", keys: ["."], words: "Play faster, to 2×; the pitch is kept" },
  { name: "who", keys: ["w"], words: "Say who speaks; enter goes back" },
  { name: "order", keys: ["o"], words: "Proposals in time, or best first" },
  { name: "closer", keys: ["+", "="], caps: ["+"], words: "Zoom in; so does the wheel", repeats: true },
  { name: "farther", keys: ["-"], caps: ["−"], words: "Zoom out", repeats: true },
  { name: "fit", keys: ["f"], words: "Bring the frame into sight" },
  { name: "begin", keys: ["home"], caps: ["Home"], words: "To the beginning" },
  { name: "help", keys: ["?"], words: "These keys" },
];

const BY_KEY = new Map(ACTIONS.flatMap((action) => action.keys.map((key) => [key, action])));

// The action of a key press, by the sign on the key; a number names an emotion by its place in the scheme, by the key's
// own place too, where digits need shift.
function actionOf(event, labels) {
  const named = (digit) => digit && labels[digit - 1] && { name: "nominate", of: labels[digit - 1].name };
  const key = event.key.toLowerCase();
  return (
    named(key.match(/^[1-9]$/)?.[0]) ||
    BY_KEY.get(event.shiftKey && key.startsWith("arrow") ? `shift+${key}` : key) ||
    named(event.code.match(/^(?:Digit|Numpad)([1-9])$/)?.[1]) ||
    null
  );
}
