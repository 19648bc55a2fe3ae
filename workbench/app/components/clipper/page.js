// What the page is made of: the parts of clipper.html by name, its buttons bound to what they do, the help filled.

function partsOf(root) {
  const find = (name) => root.querySelector(name);
  const buttons = new Map([...root.querySelectorAll("[data-action]")].map((one) => [one.dataset.action, one]));
  return {
    root, buttons, clipper: find(".clipper"), select: find(".source select"), count: find(".count"), track: find(".progress .track i"),
    saveText: find(".save span"), saveButton: find(".save button"), overview: find(".overview"), film: find(".film"), sight: find(".sight"),
    base: find(".base"), over: find(".over"), hover: find(".hover"), notice: find(".notice"), what: find(".what"), when: find(".when"),
    more: find(".more"), speed: find(".speed"), rejected: find(".rejected"), name: find(".speaker input"), names: find("datalist"),
    genders: [...root.querySelectorAll("[data-gender]")], known: find(".known"), emotions: find(".emotions"), message: find(".message"),
    keys: find(".keys"), refused: find(".refused"),
  };
}

function tag(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A click gives a button no focus and takes it from a field: space plays.
function onPress(button, action) {
  button.onmousedown = (event) => {
    event.preventDefault();
    button.getRootNode().activeElement?.blur();
  };
  button.onclick = action;
}

function buildPage(owner) {
  const { dom, data } = owner;
  for (const [name, button] of dom.buttons) {
    onPress(button, () => owner.press({ name }));
    const keys = ACTIONS.find((action) => action.name === name)?.keys;
    if (keys) button.setAttribute("aria-keyshortcuts", keys.map(spoken).join(" "));
  }
  dom.emotions.replaceChildren(...data.labels.map((label, i) => emotionButton(owner, label, i)));
  for (const button of dom.genders) {
    onPress(button, () => {
      const gender = button.dataset.gender === owner.speaker.gender ? "" : button.dataset.gender;
      owner.speaks({ ...owner.speaker, gender });
    });
  }
  dom.name.onkeydown = (event) => {
    event.stopPropagation();
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    if (event.key === "Escape") dom.name.value = owner.speaker.speaker;
    dom.name.blur();
  };
  dom.name.onchange = () => owner.named(dom.name.value.trim());
  dom.select.onchange = () => {
    owner.open(dom.select.value);
    dom.select.blur();
  };
  dom.select.onkeydown = (event) => event.key === "Escape" && dom.select.blur();
  dom.rejected.onchange = () => {
    owner.visitRejected(dom.rejected.checked);
    dom.rejected.blur();
  };
  dom.notice.querySelector(".again").onclick = () => owner.open(owner.chosen, null, true);
  onPress(dom.saveButton, () => owner.showRefused());
  for (const sheet of [dom.keys, dom.refused]) {
    sheet.querySelector(".close").onclick = () => (sheet.hidden = true);
    sheet.onclick = (event) => event.target === sheet && (sheet.hidden = true);
  }
  const row = (caps, words) => [tag("dt", {}, caps.map((cap) => tag("kbd", { textContent: cap }))), tag("dd", { textContent: words })];
  dom.keys.querySelector("dl").replaceChildren(
    ...row([owner.digits], "Cut a proposal with an emotion, the next one plays; or say it of the clip that was just cut"),
    ...ACTIONS.flatMap(({ caps, keys, words }) => row(caps ?? keys, words)),
  );
}

function spoken(key) {
  const names = { " ": "Space", backspace: "Backspace", enter: "Enter", arrowleft: "ArrowLeft", arrowright: "ArrowRight", home: "Home", "+": "Plus" };
  return key.split(/(?<=shift)\+/).map((part) => names[part] ?? (part === "shift" ? "Shift" : part)).join("+");
}

function emotionButton(owner, label, i) {
  const made = tag("button", { type: "button", title: label.definition }, [
    tag("kbd", { textContent: i + 1 }),
    tag("i", { textContent: label.sign, ariaHidden: "true" }),
    tag("span", { textContent: label.text.replace(/\s*\(.*$/, "") }),
    tag("b", { textContent: "0" }),
    tag("em", { ariaHidden: "true" }),
  ]);
  made.dataset.emotion = label.name;
  made.style.setProperty("--colour", label.colour);
  made.setAttribute("aria-keyshortcuts", String(i + 1));
  onPress(made, () => owner.press({ name: "nominate", of: label.name }));
  return made;
}

function fillSources(select, sources, chosen) {
  const minutes = (one) => one.rate_hz && clock(one.n_samples / one.rate_hz);
  select.replaceChildren(
    ...sources.map((one) => {
      const parts = [one.title, minutes(one), one.cut && amount(one.cut, "pick"), one.state === "away" && "not here"];
      return tag("option", { value: one.source, textContent: parts.filter(Boolean).join(" · "), selected: one.source === chosen });
    }),
  );
}
