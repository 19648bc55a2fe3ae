// The panel that lists answers which the server refused: to read, to copy for the curator, to dismiss.

function buildRefused(panel, owner) {
  const { text } = owner;
  const part = (name) => panel.querySelector(name);
  put(part("h2"), text("refused_title"));
  put(part(".why"), text("refused_why"));
  put(part(".copy"), text("copy"));
  put(part(".dismiss"), text("dismiss"));
  put(part(".close"), text("close"));
  part(".close").onclick = () => (panel.hidden = true);
  panel.onclick = (event) => {
    if (event.target === panel) panel.hidden = true;
  };
}

function showRefused(panel, owner) {
  const entries = owner.outbox.refused();
  const lines = entries.map((entry) => [when(entry, owner), whatOf(entry, owner), entry.note, entry.reason].filter(Boolean));
  panel.querySelector("ul").replaceChildren(
    ...lines.map(([time, what, ...more]) => {
      const item = document.createElement("li");
      const [strong, small] = ["strong", "small"].map((tag) => document.createElement(tag));
      strong.textContent = what;
      small.textContent = [time, ...more].join(" · ");
      item.append(strong, small);
      return item;
    }),
  );
  const copy = panel.querySelector(".copy");
  put(copy, owner.text("copy"));
  copy.onclick = async () => {
    const rows = entries.map((entry, i) => [...lines[i], entry.token, entry.id].join("\t"));
    put(copy, owner.text((await copied(rows.join("\n"), panel)) ? "copied" : "not_copied"));
  };
  panel.querySelector(".dismiss").onclick = () => {
    panel.hidden = true;
    owner.outbox.dismiss(entries);
  };
  panel.hidden = false;
  panel.querySelector(".close").focus({ preventScroll: true });
}

function when({ time }, { data }) {
  return new Date(time).toLocaleString(data.language, { dateStyle: "medium", timeStyle: "short" });
}

function whatOf({ kind, label, flags }, { data, text }) {
  if (kind === "undo") return text("undo");
  const named = (entries, name) => entries.find((entry) => entry.name === name)?.text ?? name;
  return [label && named(data.labels, label), ...flags.map((flag) => named(data.flags, flag))].filter(Boolean).join(", ");
}

// navigator.clipboard is missing on plain http, where many labs serve their own network.
async function copied(words, panel) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: words });
    panel.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
