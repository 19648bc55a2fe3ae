// The clipper: one object on the window that owns source, sound, keys and picks for as long as the page lives, whatever
// Streamlit draws around it. A key is one decision, and one event on its way to the server.

const ADDRESS_MS = 300;
const FIT_S = 12;

class Clipper extends Deciding {
  constructor(data) {
    super();
    this.data = data;
    this.labels = new Map(data.labels.map((label) => [label.name, label]));
    this.digits = `1–${data.labels.length}`;
    this.mode = "starting"; // starting | empty | making | away | ready
    this.opening = null;
    this.sources = [];
    this.people = [];
    this.speaker = { speaker: "", gender: "" };
    this.hint = "";
    this.dom = null;
    this.turn = 0;
    this.pointer = null;
    this.turned = new Set(); // refused events that were taken off the page
    this.done = new Done(data.person);
    this.mining = new Mining(0);
    this.onKey = (event) => this.key(event);
    this.calm = new MutationObserver(closeDialogs);
    this.outbox = new Outbox(data.person, () => this.outboxChanged(), PICKS);
    this.outbox.send();
    this.begin();
  }

  // ---- page ---------------------------------------------------------------------------------------------------

  mount(root, data) {
    this.data = data;
    this.turn += 1;
    const isBack = this.dom === null && this.turn > 1;
    if (this.dom?.root !== root) this.drawInto(root);
    if (isBack) this.reopen();
    this.render();
    return this.turn;
  }

  drawInto(root) {
    this.dom = partsOf(root);
    this.drawing = new Drawing(this.dom.base, this.dom.over);
    this.whole = new Overview(this.dom.overview);
    this.shade = null;
    buildPage(this);
    fillSources(this.dom.select, this.sources, this.chosen);
    displayKnown(this);
    this.pointer = null;
    new Pointer(this.dom.sight, {
      view: () => this.source?.view ?? null,
      changed: () => this.moved(),
      pressed: (x, y) => this.pressed(x, y),
      hovered: (x) => this.hovered(x),
    });
    const jump = (event, isFirst) => this.jump(event, isFirst);
    this.dom.overview.onpointerdown = (event) => {
      this.dom.overview.setPointerCapture(event.pointerId);
      jump(event, true);
    };
    this.dom.overview.onpointermove = (event) => event.buttons && jump(event, false);
    this.resized?.disconnect();
    this.resized = new ResizeObserver(() => this.moved());
    for (const canvas of [this.dom.base, this.dom.overview]) this.resized.observe(canvas);
    addEventListener("keydown", this.onKey, true);
    this.calm.observe(document.body, { childList: true });
    closeDialogs();
    this.film();
    this.moved();
  }

  unmount() {
    removeEventListener("keydown", this.onKey, true);
    this.calm.disconnect();
    this.resized.disconnect();
    this.halt();
    this.dom = null;
  }

  // ---- keys ---------------------------------------------------------------------------------------------------

  key(event) {
    if (!this.dom || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const at = event.composedPath()[0];
    if (at instanceof HTMLElement && (at.isContentEditable || at.matches("input:not([type=checkbox]), textarea, select"))) return;
    const sheet = [this.dom.keys, this.dom.refused].find((one) => !one.hidden);
    if (sheet) {
      event.stopImmediatePropagation();
      if (event.key === "Escape" || event.key === "?") sheet.hidden = true;
      return;
    }
    if (at instanceof HTMLElement && at.matches("button, a, summary, input") && (event.key === "Enter" || event.key === " ")) return;
    const action = actionOf(event, this.data.labels);
    if (!action) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat && !action.repeats) return;
    this.press(action, event.repeat);
  }

  press(action, held = false) {
    if (action.name === "help") return this.showKeys();
    if (this.mode !== "ready") return;
    this.hint = "";
    this.act(action, held);
    flash(action.name === "nominate" ? this.dom?.emotions.querySelector(`[data-emotion="${action.of}"]`) : this.dom?.buttons.get(action.name));
    this.moved();
  }

  act({ name, of }, held) {
    const { view } = this.source;
    const does = {
      play: () => this.toggle(),
      earlier: () => this.nudge(-1, held),
      later: () => this.nudge(1, held),
      onset_before: () => this.toOnset(-1),
      onset_after: () => this.toOnset(1),
      slower: () => this.quicken(-1),
      faster: () => this.quicken(1),
      closer: () => view.zoom(1 / 1.4, this.zoomPlace()),
      farther: () => view.zoom(1.4, this.zoomPlace()),
      fit: () => view.show(this.frame() - ((FIT_S - 3) / 2) * this.source.rate, this.frame() + ((FIT_S + 3) / 2) * this.source.rate),
      begin: () => this.seek(0),
      who: () => this.dom.name.select(),
      order: () => this.ordered(this.order === "time" ? "best" : "time"),
      in_time: () => this.ordered("time"),
      best_first: () => this.ordered("best"),
      nominate: () => this.nominate(of),
    };
    return (does[name] ?? (() => this[name]()))();
  }

  // Zoom around the pointer where it is over the picture, else around the playhead where it can be seen.
  zoomPlace() {
    const { view } = this.source;
    const x = this.pointer ?? view.xOf(this.frame());
    return x >= 0 && x <= view.width ? x : view.width / 2;
  }

  // ---- pointer ------------------------------------------------------------------------------------------------

  pressed(x, y) {
    if (!this.source || x < 0) return;
    const { view, picks } = this.source;
    const sample = view.sampleAt(x);
    const lane = this.drawing.laneAt(y);
    const near = (stop) => stop.start <= sample && sample < stop.start + Math.max(stop.n, 6 * view.perPixel);
    const found = lane === "proposals" ? picks.proposals.filter((stop) => this.rejected || stop.status !== "reject").find(near) : picks.sorted.find(near);
    this.hint = "";
    if ((lane === "proposals" || lane === "clips") && found) return this.visit(found);
    this.seek(sample);
  }

  hovered(x) {
    this.pointer = x;
    this.wake();
  }

  jump(event, isFirst) {
    if (!this.source) return;
    const sample = this.whole.sampleAt(event.offsetX, this.source.samples);
    const { view } = this.source;
    view.glide(sample - (view.width * view.perPixel) / 2);
    if (isFirst) this.seek(sample);
    this.moved();
  }

  // ---- what changed -------------------------------------------------------------------------------------------

  outboxChanged() {
    if (!this.outbox) return; // not while it is being made
    for (const { id } of this.outbox.refused()) {
      if (this.turned.has(id)) continue;
      this.turned.add(id);
      this.done.remove(id);
      this.source?.picks.drop(id);
      this.moved();
    }
    if (this.source && !this.outbox.waiting().length && this.source.picks.waiting()) this.poll();
    this.render();
  }

  arrived() {
    if ((this.source?.problem ?? null) === "other_person") return this.open(this.source.name, this.source.seconds(this.anchor));
    this.stale = true;
    this.wake();
  }

  enter(mode) {
    this.mode = mode;
    this.render();
  }

  say(hint) {
    this.hint = hint;
    this.render();
  }

  // Something that is drawn changed: fetch what is seen and heard, draw it all.
  moved() {
    this.stale = true;
    if (this.source && this.dom) this.foresee();
    this.render();
    this.wake();
  }

  foresee() {
    this.source.foresee(this.frame(), this.ahead());
  }

  render() {
    if (!this.dom) return;
    display(this);
    if (this.mode === "ready") this.writeAddress();
  }

  writeAddress() {
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => {
      if (!this.dom || !this.source || !location.pathname.endsWith("/clipper")) return;
      const address = new URL(location.href);
      address.searchParams.set("source", this.source.name);
      address.searchParams.set("at", this.source.seconds(this.frame()).toFixed(3));
      history.replaceState(history.state, "", address);
    }, ADDRESS_MS);
  }

  wake() {
    if (this.awake || !this.dom || !this.source) return;
    this.awake = requestAnimationFrame(() => {
      this.awake = null;
      this.paint();
    });
  }

  paint() {
    if (!this.dom || !this.source) return;
    paint(this);
    if (this.play || this.source.view.goal !== null) this.wake();
  }

  film() {
    if (this.dom) showFilm(this.dom.film, this.source);
  }

  showKeys() {
    this.dom.keys.hidden = false;
    this.dom.keys.querySelector(".close").focus({ preventScroll: true });
  }

  showRefused() {
    showRefused(this);
  }
}

export default mounted("__workbenchClipper", Clipper);
