// One player for all lists on the page: a second click stops, another sound takes its place, arrow keys go through.

const player = (window.workbenchListening ??= { audio: new Audio(), row: null });

function silence() {
  player.audio.pause();
  if (player.row) {
    player.row.setAttribute("aria-pressed", "false");
    player.row.querySelector(".sign").textContent = "▶";
  }
  player.row = null;
}

function hear(button, failed) {
  silence();
  failed.hidden = true;
  player.row = button;
  button.setAttribute("aria-pressed", "true");
  button.querySelector(".sign").textContent = "■";
  player.audio = new Audio(button.dataset.url);
  const mine = player.audio;
  mine.addEventListener("ended", () => player.audio === mine && silence());
  mine.addEventListener("error", () => {
    if (player.audio !== mine) return;
    failed.textContent = "This sound cannot be had: the recording is not on this machine any more, or the page is old.";
    failed.hidden = false;
    silence();
  });
  mine.play().catch(() => {}); // stopped before it began, or told by "error"
}

function line(row, failed) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.title = row.note;
  button.dataset.url = row.url;
  button.setAttribute("aria-pressed", "false");
  for (const [kind, text] of [["sign", "▶"], ["value", row.value], ["words", row.words]]) {
    const part = document.createElement("span");
    part.className = kind;
    part.textContent = text;
    button.append(part);
  }
  button.addEventListener("click", () => (player.row === button ? silence() : hear(button, failed)));
  const door = document.createElement("a");
  door.href = row.door;
  door.target = "_blank";
  door.textContent = "why";
  door.title = "All that is known of this window";
  item.append(button, door);
  return item;
}

function step(event, list, failed) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const buttons = [...list.querySelectorAll("button")];
  const at = buttons.indexOf(event.target.closest("button"));
  if (!by || at < 0) return;
  event.preventDefault();
  const next = buttons[at + by];
  if (!next) return;
  next.focus();
  hear(next, failed);
}

export default function ({ parentElement, data }) {
  const find = (name) => parentElement.querySelector(name);
  const list = find("ul");
  const failed = find(".failed");
  find(".title").textContent = data.title;
  find(".empty").textContent = data.empty;
  find(".empty").hidden = data.rows.length > 0;
  const drawn = JSON.stringify(data.rows);
  if (list.dataset.drawn !== drawn) {
    if (player.row && list.contains(player.row)) silence();
    list.dataset.drawn = drawn;
    list.replaceChildren(...data.rows.map((row) => line(row, failed)));
  }
  list.onkeydown = (event) => step(event, list, failed);
}
