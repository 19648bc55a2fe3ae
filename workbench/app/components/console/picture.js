// The picture of the sound: quiet bars, the part that was heard in the accent colour, a playhead.

class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.clip = null;
    this.position = 0;
    this.layers = null;
    this.watch = new ResizeObserver(() => this.redraw());
    this.watch.observe(canvas);
  }

  close() {
    this.watch.disconnect();
  }

  show(clip) {
    const peaks = clip?.peaks ?? null;
    if (this.layers && clip === this.clip && peaks === this.layers.peaks) return;
    if (clip !== this.clip) this.position = 0;
    this.clip = clip;
    this.redraw();
  }

  redraw() {
    const scale = devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * scale);
    const height = Math.round(this.canvas.clientHeight * scale);
    if (!width || !height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    const colours = getComputedStyle(this.canvas);
    const peaks = this.clip?.peaks ?? null;
    this.layers = {
      peaks,
      rest: bars(width, height, scale, peaks, colours.getPropertyValue("--bar").trim()),
      heard: bars(width, height, scale, peaks, colours.getPropertyValue("--heard").trim()),
      playhead: colours.getPropertyValue("--playhead").trim(),
      scale,
    };
    this.draw(this.position);
  }

  // `position` is the share of the clip that has been played, in [0, 1].
  draw(position) {
    this.position = position;
    if (!this.layers) return;
    const { width, height } = this.canvas;
    const pen = this.canvas.getContext("2d");
    const x = Math.round(position * width);
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.layers.rest, 0, 0);
    if (x > 0) {
      pen.clearRect(0, 0, x, height);
      pen.drawImage(this.layers.heard, 0, 0, x, height, 0, 0, x, height);
    }
    if (position > 0 && position < 1) {
      pen.fillStyle = this.layers.playhead;
      pen.fillRect(x - this.layers.scale, 0, 2 * this.layers.scale, height);
    }
  }
}

function bars(width, height, scale, peaks, colour) {
  const layer = document.createElement("canvas");
  layer.width = width;
  layer.height = height;
  const pen = layer.getContext("2d");
  pen.fillStyle = colour;
  const middle = height / 2;
  if (!peaks) {
    pen.fillRect(0, middle - scale / 2, width, scale);
    return layer;
  }
  const loudest = peaks.reduce((most, value) => Math.max(most, Math.abs(value)), 0.05);
  const step = 4 * scale;
  const count = Math.floor(width / step);
  for (let i = 0; i < count; i++) {
    let low = 0;
    let high = 0;
    const last = Math.max(Math.floor((i * BUCKETS) / count) + 1, Math.floor(((i + 1) * BUCKETS) / count));
    for (let bucket = Math.floor((i * BUCKETS) / count); bucket < last; bucket++) {
      low = Math.min(low, peaks[2 * bucket]);
      high = Math.max(high, peaks[2 * bucket + 1]);
    }
    const up = Math.max(scale, (high / loudest) * middle * 0.92);
    const down = Math.max(scale, (-low / loudest) * middle * 0.92);
    pen.beginPath();
    pen.roundRect(i * step + scale / 2, middle - up, step - 1.5 * scale, up + down, scale);
    pen.fill();
  }
  return layer;
}
