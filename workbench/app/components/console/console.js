// The labelling console: one object on the window that owns clip, keys and playback for as long as the page lives,
// whatever Streamlit draws around it. A key labels the clip that is sounding.

const REST_AFTER = 50;
const TOUCH = matchMedia("(hover: none)");

class Console {
  constructor(data) {
    this.data = data;
    this.unplayable = data.flags.find((flag) => flag.unplayable) ?? null;
    this.text = this.text.bind(this);
    this.current = null;
    this.past = new Past(data.person);
    this.mode = "starting"; // starting | loading | playing | blocked | done | more
    this.sitting = 0;
    this.done = null;
    this.total = null;
    this.answeredAt = [];
    this.recalling = false;
    this.hint = null;
    this.dom = null;
    this.turn = 0;
    this.actions = this.actionsByKey();
    this.player = new Player({
      current: () => this.current,
      sounding: () => this.sounds(),
      blocked: () => this.enter("blocked"),
      moved: (position) => this.picture?.draw(position),
    });
    this.outbox = new Outbox(data.person, () => this.outboxChanged());
    this.supply = new Supply(this.outbox, () => this.supplyChanged());
    this.supply.held = () => [this.current, ...this.past.clips].filter(Boolean);
    this.onKey = (event) => this.key(event);
    this.calm = new MutationObserver(closeDialogs);
    this.outbox.send().finally(() => this.supply.topUp()); // one after the other: else what waits is counted twice, or never
  }

  // ---- what the page draws into -------------------------------------------------------------------------------

  mount(root, data) {
    this.data = data;
    this.turn += 1;
    if (this.dom?.root !== root) this.drawInto(root);
    this.render();
    return this.turn;
  }

  drawInto(root) {
    this.dom = partsOf(root);
    this.picture?.close();
    this.picture = new Picture(this.dom.canvas);
    this.picture.show(this.current);
    buildPage(this);
    addEventListener("keydown", this.onKey, true);
    this.calm.observe(document.body, { childList: true });
    closeDialogs();
    if (this.current && this.mode === "playing" && this.player.audio()?.paused) this.replay(); // back from another page
  }

  unmount() {
    removeEventListener("keydown", this.onKey, true);
    this.calm.disconnect();
    this.picture?.close();
    this.picture = null;
    this.dom = null;
    this.player.pause();
  }

  text(key, values = {}) {
    const found = (TOUCH.matches && this.data.texts[`${key}_touch`]) || this.data.texts[key] || key;
    return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  // ---- keys ---------------------------------------------------------------------------------------------------

  actionsByKey() {
    const found = new Map();
    const add = (kind, entries) => {
      for (const entry of entries) for (const key of entry.keys) found.set(key.toLowerCase(), { kind, ...entry });
    };
    add("label", this.data.labels);
    add("flag", this.data.flags);
    add("tool", TOOLS);
    return found;
  }

  // By the sign on the key first, then by its place: keyboards whose digits need shift, or that write zhuyin.
  actionOf(event) {
    const place = event.code.match(/^(?:Key|Digit|Numpad)([A-Z0-9])$/)?.[1].toLowerCase();
    return this.actions.get(event.key.toLowerCase()) ?? (event.shiftKey ? undefined : this.actions.get(place));
  }

  key(event) {
    if (!this.dom || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (["Shift", "Control", "Alt", "Meta", "CapsLock", "Tab", "AltGraph"].includes(event.key)) return;
    const at = event.composedPath()[0];
    if (at instanceof HTMLElement && (at.isContentEditable || at.matches("input, textarea, select"))) return;
    if (!this.dom.refused.hidden) return this.keyInRefused(event);
    const sheetOpen = !this.dom.keys.hidden;
    const waits = this.mode === "blocked" || this.mode === "more";
    const action = this.actionOf(event);
    if (event.key === "Enter" && this.mustSkip() && !sheetOpen) return this.skip();
    if (!action && !sheetOpen && !waits) return;
    if (!action && event.key === "Enter" && !waits) return; // a button that has the focus
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    if (sheetOpen) return this.showKeys(false);
    if (waits && !(this.mode === "more" && action?.name === "undo")) return this.begin();
    this.press(action);
  }

  // Keys are the panel's own while it is open, so that none of them labels.
  keyInRefused(event) {
    event.stopImmediatePropagation();
    if (event.key === "Escape") this.dom.refused.hidden = true;
  }

  press(action) {
    if (this.mode === "blocked") return this.begin();
    if (action.kind === "tool") return this[action.name]();
    if (action.kind === "flag" && !action.answers) return this.toggle(action);
    this.answer(action);
  }

  // ---- answers ------------------------------------------------------------------------------------------------

  answer(action) {
    const clip = this.current;
    if (this.outbox.problem === "other_person") return this.say("other_person");
    const broken = clip?.state === "broken" && action.unplayable;
    if (!clip || this.recalling || !(clip.started || broken)) return this.say("nothing_sounding");
    const flags = [...clip.flags, ...(action.kind === "flag" ? [action.name] : [])];
    const label = action.kind === "label" ? action.name : null;
    const event = { kind: "answer", token: clip.token, label, flags, note: clip.note, heard_ms: this.player.heard(clip) };
    this.player.pause();
    this.past.push(clip);
    this.hint = null;
    this.advance(); // the ear first; the rest of this function runs before anything else can
    this.outbox.add(event);
    this.past.remember(clip.token);
    flash(this.dom?.buttons.get(`${action.kind}.${action.name}`));
    this.answeredAt.push(performance.now());
    this.sitting++;
    this.done = (this.done ?? 0) + 1;
    if (this.sitting % REST_AFTER === 0) this.hint = "rest";
    this.closeNote();
    this.render();
  }

  // A clip that cannot be played, in a scheme that has no word for that: go on without an answer.
  mustSkip() {
    return this.current?.state === "broken" && !this.unplayable;
  }

  skip() {
    this.supply.skipped.add(this.current.token);
    this.hint = null;
    this.closeNote();
    this.advance();
  }

  toggle(action) {
    const clip = this.current;
    if (!clip || !clip.started) return this.say("nothing_sounding");
    if (!clip.flags.delete(action.name)) clip.flags.add(action.name);
    this.render();
  }

  async undo() {
    if (this.recalling) return;
    let clip = this.past.pop();
    if (!clip) {
      const token = this.past.tokens().at(-1);
      if (!token) return this.say("nothing_to_undo");
      this.recalling = true;
      try {
        clip = await this.supply.recall(token);
      } catch {
        return this.say("cannot_undo");
      } finally {
        this.recalling = false;
      }
    }
    this.past.forget(clip.token);
    this.outbox.add({ kind: "undo", token: clip.token, label: null, flags: [], note: "", heard_ms: 0 });
    this.closeNote();
    this.player.pause();
    if (this.current) this.supply.putBack(this.current);
    clip.rewind();
    this.sitting = Math.max(0, this.sitting - 1);
    this.answeredAt.pop();
    this.done = Math.max(0, (this.done ?? 1) - 1);
    this.current = clip;
    this.say("undone");
    this.play();
  }

  // ---- playback -----------------------------------------------------------------------------------------------

  advance() {
    this.current = this.supply.take();
    this.play();
  }

  play() {
    this.player.pool.arm([this.current, ...this.supply.queue]);
    if (!this.current) return this.enter(this.supply.state === "none" ? "done" : "loading");
    if (!this.told(this.player.start())) this.enter("loading");
  }

  // The clip was told to sound, if it could be.
  told(could) {
    if (could) this.enter(this.player.unblocked ? "playing" : this.mode);
    return could;
  }

  sounds() {
    if (this.hint === "nothing_sounding") this.hint = null;
    this.enter("playing");
  }

  begin() {
    if (this.mustSkip()) return this.skip();
    if (this.mode === "more" || !this.current) return this.advance();
    this.told(this.player.again());
  }

  replay() {
    if (!this.told(this.player.again())) this.say("nothing_sounding");
  }

  slower() {
    if (!this.told(this.player.slower())) this.say("nothing_sounding");
  }

  // ---- what changed elsewhere ---------------------------------------------------------------------------------

  supplyChanged() {
    const { progress } = this.supply;
    if (progress) {
      this.total = progress.total;
      if (this.done === null) this.done = progress.done + this.onTheirWay();
    }
    if (!this.current && (this.mode === "starting" || this.mode === "loading") && this.supply.queue.length) return this.advance();
    if (!this.current && this.mode === "done" && this.supply.queue.length) return this.enter("more");
    if (!this.current && this.supply.state === "none") return this.enter("done");
    if (this.current && this.current.state === "ready" && !this.player.audio()) return this.play();
    this.player.pool.arm([this.current, ...this.supply.queue]);
    this.render();
  }

  // Answers from before this page was opened that the server has not counted yet.
  onTheirWay() {
    return this.outbox.waiting().reduce((sum, event) => sum + (event.kind === "answer" ? 1 : -1), 0);
  }

  outboxChanged() {
    if (this.outbox) this.render(); // not while it is being made
  }

  // ---- what is shown ------------------------------------------------------------------------------------------

  enter(mode) {
    this.mode = mode;
    this.render();
  }

  say(hint) {
    this.hint = hint;
    this.render();
  }

  note() {
    if (!this.current) return this.say("nothing_sounding");
    this.dom.note.hidden = false;
    this.dom.noteInput.value = this.current.note;
    this.dom.noteInput.focus();
  }

  closeNote() {
    if (!this.dom || this.dom.note.hidden) return;
    this.dom.note.hidden = true;
    this.dom.noteInput.blur();
    this.render();
  }

  keys() {
    this.showKeys(true);
  }

  showKeys(open) {
    this.dom.keys.hidden = !open;
    if (open) this.dom.keys.querySelector("button").focus({ preventScroll: true });
    else this.dom.keys.querySelector("button").blur();
  }

  refused() {
    showRefused(this.dom.refused, this);
  }

  render() {
    if (this.dom) display(this);
  }
}

export default mounted("__workbenchConsole", Console);
