// One source as it is worked on: what the server says of it, its sound, its pictures, what plays.

class Source {
  // `opened`: what the server said; `owner`: changed(), ended(sample), waits().
  constructor(opened, owner) {
    this.opened = opened;
    this.name = opened.source;
    this.rate = opened.rate_hz;
    this.samples = opened.n_samples;
    this.length = opened.clip_samples;
    this.picks = new Picks(opened);
    this.view = new View(this.samples, this.rate);
    const at = (what, rest = "") => `/api/clipper/${what}/${encodeURIComponent(this.name)}${rest}?v=${opened.version}`;
    const changed = () => owner.changed();
    this.sound = new Sound({
      rate: this.rate,
      samples: this.samples,
      address: (start, n) => `${at("sound")}&start=${start}&n=${n}`,
      changed,
    });
    const tiles = { form: opened.view, samples: this.samples, changed, address: (level, index) => at("tile", `/${level}/${index}`) };
    this.tiles = new Tiles(tiles);
    this.whole = new Tiles({ ...tiles, most: 40 });
    this.playback = new Playback(this.sound, owner);
  }

  get problem() {
    return this.sound.problem ?? this.tiles.problem;
  }

  seconds(sample) {
    return sample / this.rate;
  }

  // A place where a frame can stand.
  within(sample) {
    return Math.max(0, Math.min(Math.round(sample), this.samples - this.length));
  }

  // Where a pause ends before or after `here` (+1 or -1).
  onset(here, direction) {
    const { onsets } = this.opened;
    const near = 0.02 * this.rate;
    if (direction > 0) return onsets.find((one) => one > here + near) ?? null;
    return onsets.findLast((one) => one < here - near) ?? null;
  }

  // Fetch what is heard soon: what plays, the frame, and what the next key would play.
  foresee(frame, ahead) {
    const run = this.playback.run;
    const playing = run ? [[run.cursor, Math.min(run.until, run.cursor + 12 * this.rate)]] : [];
    const frames = [frame, ...ahead].map((start) => [start - 0.1 * this.rate, start + this.length + 0.2 * this.rate]);
    this.sound.want([...playing, ...frames]);
  }

  look() {
    this.tiles.see(this.view.perPixel, this.view.start, this.view.end);
  }

  close() {
    this.playback.close();
    for (const part of [this.sound, this.tiles, this.whole]) part.close();
  }
}
