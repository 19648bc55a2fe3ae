// Playing: which <audio> sounds the current clip, how long it was heard, and whether this page may sound at all.

const SLOW_RATE = 0.75;

class Player {
  // `current` gives the clip to sound; the others are told that it sounds, that it may not, and how far it is in [0, 1].
  constructor({ current, sounding, blocked, moved }) {
    Object.assign(this, { current, sounding, blocked, moved });
    this.pool = new Pool();
    this.unblocked = false;
    this.animating = false;
    for (const audio of this.pool.free) this.listen(audio);
  }

  audio() {
    const clip = this.current();
    return clip ? this.pool.of(clip) : null;
  }

  get slow() {
    return this.audio()?.playbackRate === SLOW_RATE;
  }

  // Milliseconds for which the clip has sounded.
  heard(clip) {
    return Math.round(clip.heardMs + (clip.since ? performance.now() - clip.since : 0));
  }

  pause() {
    this.audio()?.pause();
  }

  // Each of these is false where the current clip has no sound yet.
  start() {
    return this.sound(() => 1);
  }

  again() {
    return this.sound((rate) => rate);
  }

  slower() {
    return this.sound((rate) => (rate === 1 ? SLOW_RATE : 1));
  }

  sound(rateAfter) {
    const audio = this.audio();
    if (!audio) return false;
    const clip = this.current();
    audio.playbackRate = rateAfter(audio.playbackRate);
    if (audio.currentTime > 0) audio.currentTime = 0;
    // Once this page has sounded, a clip told to play is sounding; before that only its 'playing' event proves it.
    if (this.unblocked) clip.started = true;
    audio.play().catch((error) => {
      if (error.name === "NotAllowedError" && clip === this.current()) {
        clip.started = false;
        this.blocked();
      }
    });
    return true;
  }

  listen(audio) {
    audio.addEventListener("playing", () => {
      if (audio !== this.audio()) return;
      this.unblocked = true;
      this.current().started = true;
      this.current().since = performance.now();
      this.sounding();
      this.animate();
    });
    for (const name of ["pause", "ended"]) {
      audio.addEventListener(name, () => {
        if (audio !== this.audio()) return;
        this.current().heardMs = this.heard(this.current());
        this.current().since = null;
      });
    }
  }

  animate() {
    if (this.animating) return;
    this.animating = true;
    const frame = () => {
      const audio = this.audio();
      if (!audio || audio.paused) {
        this.animating = false;
        if (audio?.ended) this.moved(1);
        return;
      }
      this.moved(audio.duration ? audio.currentTime / audio.duration : 0);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
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
