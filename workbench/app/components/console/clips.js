// Clips ahead of the listener: leased, fetched, their sound decoded for the picture, and put into <audio> elements.

const AHEAD = 12; // about four seconds of fetching, a minute of labelling without a network
const AHEAD_WHEN_FAST = 32;
const FAST_MS = 1000;
const LANES = 3;
const BUCKETS = 400;
const MOST_TOKENS = 200; // that the server takes at once

class Clip {
  constructor({ token, url }) {
    this.token = token;
    this.url = url;
    this.state = "waiting"; // waiting | loading | resting (until tried again) | ready | broken
    this.blob = null;
    this.peaks = null;
    this.seconds = 0;
    this.flags = new Set();
    this.note = "";
    this.rewind();
  }
  // To be heard anew; what was said of it stays.
  rewind() {
    this.started = false; // whether it has sounded since it became the current clip
    this.heardMs = 0;
    this.since = null;
  }
}

// Peaks of a PCM16 mono WAV as the server writes it: [low, high] in [-1, 1] for each of BUCKETS stretches of time.
function peaksOf(buffer) {
  const view = new DataView(buffer);
  const rate = view.getUint32(24, true);
  const samples = new Int16Array(buffer, 44, (buffer.byteLength - 44) >> 1);
  const peaks = new Float32Array(BUCKETS * 2);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    let low = 0;
    let high = 0;
    const end = Math.floor(((bucket + 1) * samples.length) / BUCKETS);
    for (let i = Math.floor((bucket * samples.length) / BUCKETS); i < end; i++) {
      if (samples[i] < low) low = samples[i];
      else if (samples[i] > high) high = samples[i];
    }
    peaks[2 * bucket] = low / 32768;
    peaks[2 * bucket + 1] = high / 32768;
  }
  return { peaks, seconds: samples.length / rate };
}

class Supply {
  constructor(outbox, changed) {
    this.outbox = outbox;
    this.changed = changed;
    this.queue = [];
    this.loading = 0;
    this.asking = false;
    this.state = "asking"; // asking | some | none
    this.problem = null; // null, or a word of problemOf's
    this.progress = null;
    this.lastTaken = -Infinity;
    this.depth = AHEAD;
    this.timer = null;
    this.backOff = new BackOff();
    this.held = () => [];
    this.skipped = new Set(); // tokens of clips that cannot be played, in a scheme that has no word for that
  }

  take() {
    const now = performance.now();
    this.depth = now - this.lastTaken < FAST_MS ? AHEAD_WHEN_FAST : AHEAD;
    this.lastTaken = now;
    const clip = this.queue.shift() ?? null;
    this.topUp();
    return clip;
  }

  putBack(clip) {
    clip.rewind();
    this.queue.unshift(clip);
  }

  async topUp() {
    clearTimeout(this.timer);
    this.load();
    if (this.asking || this.queue.length > this.depth - 3) return;
    if (this.outbox.problem === "other_person") { // what is given now would be given to them
      this.timer = setTimeout(() => this.topUp(), 5000);
      return;
    }
    this.asking = true;
    let again = null;
    let got = 0;
    try {
      const have = [...this.known()].slice(0, MOST_TOKENS);
      const answer = await ask("/api/next", { n: this.depth - this.queue.length, have });
      const known = this.known();
      const fresh = answer.clips.filter((offered) => !known.has(offered.token)).map((offered) => new Clip(offered));
      this.queue.push(...fresh);
      got = fresh.length;
      this.progress = answer.progress;
      this.state = this.queue.length ? "some" : "none";
      this.problem = null;
      this.backOff.reset();
      if (this.state === "none") again = 20000; // others may let go of what they hold
    } catch (error) {
      this.problem = problemOf(error);
      again = this.backOff.wait();
    }
    this.asking = false;
    if (again) this.timer = setTimeout(() => this.topUp(), again);
    this.load();
    this.changed();
    if (got && this.queue.length <= this.depth - 3) this.topUp(); // keys came fast meanwhile
  }

  known() {
    const clips = [...this.queue, ...this.held()].map((clip) => clip.token);
    return new Set([...clips, ...this.skipped, ...this.outbox.tokens()]);
  }

  // A clip that was answered before this page was opened, so that its answer can be taken back.
  async recall(token) {
    const answer = await ask("/api/clip", { token });
    const clip = new Clip(answer);
    this.fetch(clip);
    return clip;
  }

  load() {
    for (const clip of this.queue) {
      if (this.loading >= LANES) return;
      if (clip.state === "waiting") this.fetch(clip);
    }
  }

  async fetch(clip) {
    this.loading++;
    clip.state = "loading";
    try {
      const answer = await fetch(clip.url, { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 410) {
        clip.url = (await ask("/api/clip", { token: clip.token })).url;
        throw new Refusal(answer.status);
      }
      if (!answer.ok) throw new Refusal(answer.status);
      const buffer = await answer.arrayBuffer();
      Object.assign(clip, peaksOf(buffer));
      clip.blob = URL.createObjectURL(new Blob([buffer], { type: "audio/wav" }));
      clip.state = "ready";
      this.problem = null;
    } catch (error) {
      this.failed(clip, problemOf(error));
    } finally {
      this.loading--;
    }
    this.load();
    this.changed();
  }

  // Only a clip that is not there is broken; any other reason passes.
  failed(clip, problem) {
    clip.state = problem === "gone" ? "broken" : "resting";
    if (clip.state === "broken") return;
    this.problem = problem;
    setTimeout(() => this.fetch(clip), this.backOff.wait());
  }
}
