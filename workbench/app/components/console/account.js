// Who is here, in which language, and the way out: the same few parts in the console's menu and in the sidebar.

// `waiting` counts the answers that are not sent yet: signing out is held back until there are none.
function fillAccount(root, { name, language, languages, texts }, waiting) {
  const part = (selector) => root.querySelector(selector);
  const say = (words) => {
    part(".held").textContent = words;
    part(".held").hidden = !words;
  };
  const speak = async (tag) => {
    try {
      await ask("/api/language", { language: tag });
      location.reload();
    } catch (error) {
      say(texts[wordsOf(problemOf(error))]);
    }
  };
  part(".who").textContent = name;
  part(".languages").replaceChildren(
    ...Object.entries(languages).map(([tag, words]) => {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: words, lang: tag });
      made.setAttribute("aria-pressed", String(tag === language));
      made.onclick = () => speak(tag);
      return made;
    }),
  );
  part(".leave button").textContent = texts.sign_out;
  part(".leave").onsubmit = (event) => {
    const n = waiting();
    say(n ? texts.held.replace("{n}", n) : "");
    if (n) event.preventDefault();
  };
}
