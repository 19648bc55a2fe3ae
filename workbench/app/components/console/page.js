// What the page is made of: the parts of console.html by name, and its buttons, made once from the scheme.

const TOOLS = [
  { name: "replay", keys: [" "], cap: "␣" },
  { name: "undo", keys: ["backspace"], cap: "⌫" },
  { name: "slower", keys: [","], cap: "," },
  { name: "note", keys: ["e"], cap: "e" },
  { name: "keys", keys: ["?"], cap: "?" },
];

function partsOf(root) {
  const find = (name) => root.querySelector(name);
  return {
    root, console: find(".console"), round: find(".round"), count: find(".count"), track: find(".track i"),
    saveText: find(".save span"), saveButton: find(".save button"), canvas: find(".picture"), begin: find(".begin"),
    end: find(".end"), message: find(".message"), labels: find(".labels"), flags: find(".flags"),
    note: find(".note"), noteLabel: find(".note span"), noteInput: find(".note input"), tools: find(".tools"),
    keys: find(".keys"), refused: find(".refused"), elsewhere: find(".elsewhere"), menu: find(".menu"), buttons: new Map(),
  };
}

function buildPage(owner) {
  const { dom, data } = owner;
  const tag = (name, properties = {}, children = []) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  // "Fearful (incl. worried)": what stands in brackets is said more quietly.
  const aside = (words) => {
    const [, main, rest] = words.match(/^(.*?)\s*([(（].*)?$/);
    return rest ? [main, tag("small", { textContent: ` ${rest}` })] : [main];
  };
  const button = (action, caps, words, { title = "", sign = "", colour = "", toggles = false } = {}) => {
    const made = tag("button", { type: "button", title }, [
      tag("kbd", { textContent: caps[0] }),
      ...(sign ? [tag("i", { textContent: sign, ariaHidden: "true" })] : []),
      tag("span", {}, aside(words)),
      ...(caps[1] ? [tag("kbd", { className: "second", textContent: caps[1] })] : []),
    ]);
    if (colour) made.style.setProperty("--colour", colour);
    if (toggles) made.setAttribute("aria-pressed", "false");
    made.setAttribute("aria-keyshortcuts", action.keys.map((key) => ({ " ": "Space", backspace: "Backspace" })[key] ?? key).join(" "));
    made.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus off it: space replays
    made.addEventListener("click", () => owner.press(action));
    dom.buttons.set(`${action.kind}.${action.name}`, made);
    return made;
  };
  dom.console.setAttribute("aria-label", owner.text("title"));
  dom.console.lang = data.language;
  dom.round.textContent = owner.text("round");
  dom.labels.setAttribute("aria-label", owner.text("labels"));
  dom.flags.setAttribute("aria-label", owner.text("flags"));
  dom.labels.style.setProperty("--count", Math.min(5, data.labels.length));
  dom.labels.replaceChildren(
    ...data.labels.map((label) =>
      button({ kind: "label", ...label }, label.keys, label.text, { title: label.definition, sign: label.sign, colour: label.colour })),
  );
  dom.flags.replaceChildren(
    ...data.flags.map((flag) =>
      button({ kind: "flag", ...flag }, flag.keys, flag.text, { title: flag.definition, colour: flag.colour, toggles: !flag.answers })),
  );
  dom.tools.setAttribute("aria-label", owner.text("tools"));
  dom.tools.replaceChildren(...TOOLS.map((tool) => button({ kind: "tool", ...tool }, [tool.cap], owner.text(tool.name))));
  dom.canvas.setAttribute("aria-label", owner.text("picture"));
  dom.begin.onclick = () => owner.begin();
  dom.noteLabel.textContent = owner.text("note");
  dom.noteInput.placeholder = owner.text("note_hint");
  dom.noteInput.onkeydown = (event) => {
    event.stopPropagation();
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    owner.closeNote();
  };
  dom.noteInput.oninput = () => {
    if (owner.current) owner.current.note = dom.noteInput.value;
  };
  const summary = dom.menu.querySelector("summary");
  summary.setAttribute("aria-label", owner.text("settings"));
  fillAccount(dom.menu, data, () => owner.outbox.waiting().length);
  dom.elsewhere.textContent = owner.text("elsewhere");
  dom.saveButton.onmousedown = (event) => event.preventDefault();
  dom.saveButton.onclick = () => owner.refused();
  buildRefused(dom.refused, owner);
  const sheet = dom.keys;
  sheet.querySelector("h2").textContent = owner.text("keys_title");
  sheet.querySelector("button").textContent = owner.text("close");
  sheet.querySelector("button").onclick = () => owner.showKeys(false);
  sheet.onclick = (event) => event.target === sheet && owner.showKeys(false);
  const row = (caps, words, more = "") => [
    tag("dt", {}, caps.map((cap) => tag("kbd", { textContent: cap }))),
    tag("dd", {}, [words, ...(more ? [tag("small", { textContent: more })] : [])]),
  ];
  sheet.querySelector("dl").replaceChildren(
    ...data.labels.flatMap((label) => row(label.keys, label.text, label.definition)),
    ...data.flags.flatMap((flag) => row(flag.keys, flag.text, flag.definition)),
    ...TOOLS.flatMap((tool) => row([tool.cap], owner.text(tool.name), owner.text(`${tool.name}_more`))),
  );
}
