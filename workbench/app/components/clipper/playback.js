// Playing: chunks of samples laid end to end on the clock of the sound card, so that each moment heard has its sample.

const AHEAD_S = 1.5; // scheduled ahead of what is heard
const PIECE_S = 0.2;
const LEAD_S = 0.03; // from a key press to the first sample
const TICK_MS = 50;
const FADE_S = 0.004; // at a stop, against clicks
const STUCK_MS = 2000; // a clock that stands still for so long has lost its loudspeaker

function soundCard({ rate }) {
  return new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
}

class Playback {
  // `ended` is told when it came to its end by itself, `waits` when sound is missing.
  constructor(sound, { ended, waits }, context = soundCard(sound)) {
    Object.assign(this, { sound, ended, waits, context });
    this.run = null;
    this.clock = { at: -1, since: 0 }; // the last that was seen of the card's clock
  }

  get playing() {
    return this.run !== null;
  }

  // Sound the samples [from, until) at `speed`, the pitch kept.
  start(from, until, speed = 1) {
    this.stop();
    const gain = this.context.createGain();
    gain.connect(this.context.destination);
    this.run = {
      from,
      until: Math.min(until, this.sound.samples),
      speed,
      cursor: from,
      stretch: speed === 1 ? null : new Stretch(this.sound, from, speed),
      gain,
      nodes: new Set(),
      pieces: [], // { time, frames, sample, n }: what sounds when
      frame: null, // on the context's clock, of the next piece
      timer: null,
    };
    if (this.context.state === "suspended") this.context.resume().catch(() => {}); // no key was pressed yet: silence
    this.pump();
  }

  // Silent at once; returns the sample that was being heard.
  stop() {
    const { run } = this;
    if (!run) return null;
    const at = this.position();
    this.run = null;
    clearTimeout(run.timer);
    const now = this.context.currentTime;
    run.gain.gain.setTargetAtTime(0, now, FADE_S / 3);
    for (const node of run.nodes) node.stop(now + FADE_S);
    setTimeout(() => run.gain.disconnect(), 100);
    return at;
  }

  // What the ear hears now, in samples of the recording.
  position() {
    const { run } = this;
    if (!run) return null;
    const now = this.heard();
    while (run.pieces.length > 1 && run.pieces[1].time <= now) run.pieces.shift();
    const [piece] = run.pieces;
    if (!piece) return run.from;
    const share = Math.min(1, Math.max(0, ((now - piece.time) * this.sound.rate) / piece.frames));
    return piece.sample + share * piece.n;
  }

  // The context's clock at the loudspeaker.
  heard() {
    const { context } = this;
    const stamp = context.getOutputTimestamp?.();
    const late = context.currentTime - (context.outputLatency || context.baseLatency || 0);
    if (!stamp?.contextTime || !stamp.performanceTime) return late;
    const now = stamp.contextTime + (performance.now() - stamp.performanceTime) / 1000;
    return now > context.currentTime || now < late - 0.25 ? late : now;
  }

  pump() {
    const { run } = this;
    if (!run) return;
    if (this.isStuck()) return this.revive();
    this.schedule(run, AHEAD_S);
    const last = run.pieces.at(-1);
    const over = run.cursor >= run.until && (!last || this.heard() >= last.time + last.frames / this.sound.rate);
    if (over) {
      this.run = null;
      run.gain.disconnect();
      this.ended(run.until);
      return;
    }
    run.timer = setTimeout(() => this.pump(), TICK_MS);
  }

  isStuck() {
    const { currentTime: at, state } = this.context;
    const now = performance.now();
    if (at !== this.clock.at || state !== "running") this.clock = { at, since: now };
    return now - this.clock.since > STUCK_MS;
  }

  // Another sound card, from where the one before fell silent.
  revive() {
    const { until, speed } = this.run;
    const at = Math.round(this.stop());
    this.context.close();
    this.context = soundCard(this.sound);
    this.clock = { at: -1, since: performance.now() };
    this.start(at, until, speed);
  }

  schedule(run, ahead) {
    const { rate } = this.sound;
    const now = this.context.currentTime;
    const soonest = Math.ceil((now + LEAD_S) * rate);
    while (run.cursor < run.until && (run.frame ?? soonest) < (now + ahead) * rate) {
      const piece = this.take(run);
      if (!piece) return this.waits();
      // Where it ran dry, the next piece begins anew; else exactly where the one before ends.
      const frame = run.frame !== null && run.frame > now * rate ? run.frame : soonest;
      this.lay(run, piece, frame);
      run.frame = frame + piece.pcm.length;
      run.cursor = piece.sample + piece.n;
    }
  }

  take(run) {
    if (run.stretch) {
      const { half, speed } = run.stretch;
      const [most, left] = [Math.round((PIECE_S * this.sound.rate) / half), Math.ceil((run.until - run.cursor) / (half * speed))];
      return run.stretch.take(Math.min(most, left));
    }
    const n = Math.min(Math.round(PIECE_S * this.sound.rate), run.until - run.cursor);
    const pcm = this.sound.read(run.cursor, n);
    return pcm && { sample: run.cursor, n, pcm };
  }

  lay(run, { sample, n, pcm }, frame) {
    const { rate } = this.sound;
    const buffer = this.context.createBuffer(1, pcm.length, rate);
    buffer.copyToChannel(pcm, 0);
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(run.gain);
    node.start(frame / rate);
    node.onended = () => run.nodes.delete(node);
    run.nodes.add(node);
    run.pieces.push({ time: frame / rate, frames: pcm.length, sample, n });
  }

  close() {
    this.stop();
    this.context.close();
  }
}
