// Clips ahead of the listener: leased, fetched, their sound decoded for the picture, and put into <audio> elements.

const AHEAD = 12; // about four seconds of fetching, a minute of labelling without a network
const AHEAD_WHEN_FAST = 32;
const FAST_MS = 1000;
const LANES = 3;
const BUCKETS = 400;

class Clip {
  constructor({ token, url }) {
    this.token = token;
    this.url = url;
    this.state = "waiting"; // waiting | loading | ready | broken
    this.blob = null;
    this.peaks = null;
    this.seconds = 0;
    this.reset();
  }
  reset() {
    this.started = false; // whether it has sounded since it became the current clip
    this.heardMs = 0;
    this.flags = new Set();
    this.note = "";
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
    this.state = "asking"; // asking | some | none | offline | signed-out
    this.progress = null;
    this.lastTaken = -Infinity;
    this.depth = AHEAD;
    this.timer = null;
    this.backOff = new BackOff();
    this.held = () => [];
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
    clip.reset();
    this.queue.unshift(clip);
  }

  async topUp() {
    clearTimeout(this.timer);
    this.load();
    if (this.asking || this.queue.length > this.depth - 3) return;
    this.asking = true;
    let again = null;
    let got = 0;
    try {
      const have = [...new Set([...this.queue, ...this.held()].map((clip) => clip.token).concat(this.outbox.tokens()))];
      const answer = await ask("/api/next", { n: this.depth - this.queue.length, have });
      const known = new Set([...this.queue, ...this.held()].map((clip) => clip.token).concat(this.outbox.tokens()));
      const fresh = answer.clips.filter((offered) => !known.has(offered.token)).map((offered) => new Clip(offered));
      this.queue.push(...fresh);
      got = fresh.length;
      this.progress = answer.progress;
      this.state = this.queue.length ? "some" : "none";
      this.backOff.reset();
      if (this.state === "none") again = 20000; // others may let go of what they hold
    } catch (error) {
      this.state = error instanceof Refusal ? "signed-out" : "offline";
      again = this.backOff.wait();
    }
    this.asking = false;
    if (again) this.timer = setTimeout(() => this.topUp(), again);
    this.load();
    this.changed();
    if (got && this.queue.length <= this.depth - 3) this.topUp(); // keys came fast meanwhile
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
        throw new Error("its address was too old");
      }
      if (!answer.ok && answer.status < 500) throw new Refusal(answer.status);
      if (!answer.ok) throw new Error(`server said ${answer.status}`);
      const buffer = await answer.arrayBuffer();
      Object.assign(clip, peaksOf(buffer));
      clip.blob = URL.createObjectURL(new Blob([buffer], { type: "audio/wav" }));
      clip.state = "ready";
    } catch (error) {
      clip.state = error instanceof Refusal ? "broken" : "waiting";
      if (clip.state === "waiting") setTimeout(() => this.fetchAgain(clip), this.backOff.wait());
    } finally {
      this.loading--;
    }
    this.load();
    this.changed();
  }

  fetchAgain(clip) {
    if (clip.state === "waiting") this.fetch(clip);
  }
}

// A few <audio> elements that move from clip to clip: phones allow only so many, and unlock each by touch.
class Pool {
  constructor(size = 8) {
    this.free = Array.from({ length: size }, () => Object.assign(new Audio(), { preload: "auto" }));
    this.armed = new Map();
  }

  arm(clips) {
    const wanted = new Set(clips.filter((clip) => clip && clip.state === "ready").slice(0, this.free.length + this.armed.size));
    for (const [clip, audio] of this.armed) {
      if (wanted.has(clip)) continue;
      audio.pause();
      this.armed.delete(clip);
      this.free.push(audio);
    }
    for (const clip of wanted) {
      if (this.armed.has(clip)) continue;
      const audio = this.free.shift();
      audio.src = clip.blob;
      audio.load();
      this.armed.set(clip, audio);
    }
  }

  of(clip) {
    return this.armed.get(clip) ?? null;
  }
}
