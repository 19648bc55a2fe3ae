// The stretch of the recording that can be seen: where it starts and how many samples a pixel holds.

const CLOSEST_S = 0.4;
const FIRST_S = 18;
const GLIDE = 0.28; // of the way that is left, each frame
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

class View {
  constructor(samples, rate) {
    this.samples = samples;
    this.rate = rate;
    this.width = 1000;
    this.start = 0;
    this.perPixel = Math.min(FIRST_S * rate, samples) / this.width;
    this.goal = null; // a start to glide to
  }

  get end() {
    return this.start + this.width * this.perPixel;
  }

  get seconds() {
    return (this.width * this.perPixel) / this.rate;
  }

  resize(width) {
    if (!width || width === this.width) return;
    const shown = this.width * this.perPixel;
    this.width = width;
    this.perPixel = shown / width;
    this.settle();
  }

  xOf(sample) {
    return (sample - this.start) / this.perPixel;
  }

  sampleAt(x) {
    return this.start + x * this.perPixel;
  }

  // What is under x stays there.
  zoom(factor, x = this.width / 2) {
    const under = this.sampleAt(x);
    this.perPixel *= factor;
    this.limit();
    this.start = under - x * this.perPixel;
    this.goal = null;
    this.settle();
  }

  pan(pixels) {
    this.start += pixels * this.perPixel;
    this.goal = null;
    this.settle();
  }

  show(start, end) {
    this.perPixel = (end - start) / this.width;
    this.limit();
    this.start = (start + end) / 2 - (this.width * this.perPixel) / 2;
    this.goal = null;
    this.settle();
  }

  // Bring [start, end) into sight without changing the zoom, unless it is in sight with some room around it.
  reveal(start, end) {
    const shown = this.width * this.perPixel;
    if (end - start > 0.9 * shown) return this.show(start - (end - start) / 4, end + (end - start) / 4);
    const from = this.goal ?? this.start;
    if (start >= from + 0.06 * shown && end <= from + 0.94 * shown) return;
    this.glide(start - (shown - (end - start)) * 0.3);
  }

  // Keep what plays in sight: a page at a time, so that the picture rests.
  follow(sample) {
    const shown = this.width * this.perPixel;
    const from = this.goal ?? this.start;
    if (sample < from || sample > from + 0.82 * shown) this.glide(sample - 0.12 * shown);
  }

  glide(start) {
    const far = Math.abs(start - this.start) > 2 * this.width * this.perPixel;
    this.goal = start;
    if (far || CALM.matches) {
      this.start = start;
      this.goal = null;
      this.settle();
    }
  }

  // One frame of gliding; whether it moved.
  step() {
    if (this.goal === null) return false;
    const before = this.start;
    this.start += (this.goal - this.start) * GLIDE;
    const arrived = Math.abs(this.goal - this.start) < 0.5 * this.perPixel;
    if (arrived) this.start = this.goal;
    this.settle();
    if (arrived || this.start === before) this.goal = null;
    return true;
  }

  limit() {
    const least = (CLOSEST_S * this.rate) / this.width;
    this.perPixel = Math.max(least, Math.min(this.perPixel, Math.max(least, this.samples / this.width)));
  }

  settle() {
    this.limit();
    this.start = Math.max(0, Math.min(this.start, this.samples - this.width * this.perPixel));
  }
}
