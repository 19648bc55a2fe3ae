// The whole recording as one strip: its loudness, its clips, how far it is mined, and the part that can be seen.

class Overview {
  constructor(canvas) {
    this.canvas = canvas;
  }

  draw({ view, shade, picks, whole, labels, mined, rejected }, playhead) {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    if (this.canvas.width !== width * scale || this.canvas.height !== height * scale) {
      Object.assign(this.canvas, { width: width * scale, height: height * scale });
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const perPixel = view.samples / width;
    const level = whole.levelOf(perPixel);
    const floor = height - 9;
    pen.fillStyle = shade.raised;
    pen.fillRect(0, 0, width, floor);
    pen.fillStyle = shade.faint;
    pen.fillRect(0, 0, mined / perPixel, floor);
    pen.fillStyle = shade.wave;
    for (let x = 0; x < width; x++) {
      const peak = whole.peak(level, x * perPixel, (x + 1) * perPixel);
      if (!peak) continue;
      const tallest = tall(Math.max(-peak[0], peak[1])) * (floor - 6);
      pen.fillRect(x, (floor - tallest) / 2, 1, Math.max(1, tallest));
    }
    for (const stop of picks.open(rejected)) {
      pen.fillStyle = shade.speech;
      pen.fillRect(stop.start / perPixel, floor + 3, Math.max(1.5, stop.n / perPixel), 2);
    }
    for (const clip of picks.sorted) {
      if (clip.arm !== "picked" && !clip.emotion) continue;
      pen.fillStyle = labels.get(clip.emotion)?.colour ?? shade.ink;
      pen.fillRect(clip.start / perPixel, floor + 3, Math.max(2, clip.n / perPixel), 6);
    }
    const [from, to] = [view.start / perPixel, view.end / perPixel];
    pen.strokeStyle = shade.accent;
    pen.lineWidth = 2;
    pen.strokeRect(Math.min(width - 5, from) + 1, 1, Math.max(4, Math.min(width, to) - from - 2), floor - 2);
    pen.fillStyle = shade.ink;
    pen.fillRect(playhead / perPixel - 1, 0, 2, floor);
  }

  sampleAt(x, samples) {
    return Math.max(0, Math.min(samples, (x / this.canvas.clientWidth) * samples));
  }
}
