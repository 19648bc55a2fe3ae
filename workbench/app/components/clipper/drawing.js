// What the canvas shows: time axis, spectrum, waveform and lanes beneath (drawn when something changed), and on a second
// canvas above them playhead and frame (drawn at every frame while it plays).

const GUTTER = 78;
const AXIS = 24;
const WAVE = 46;
const LANES = [
  { name: "speech", height: 11 },
  { name: "repeats", height: 11 },
  { name: "clips", height: 20 },
  { name: "proposals", height: 20 },
];
const GAP = 5;
const FOOT = WAVE + LANES.reduce((sum, lane) => sum + lane.height + GAP, GAP) + 2;

class Drawing {
  constructor(base, over) {
    this.base = base;
    this.over = over;
    this.size = { width: 0, height: 0, scale: 1 };
  }

  // Whether the size changed, so that all is to be drawn.
  fit() {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.base;
    if (width === this.size.width && height === this.size.height && scale === this.size.scale) return false;
    this.size = { width, height, scale };
    for (const canvas of [this.base, this.over]) Object.assign(canvas, { width: width * scale, height: height * scale });
    return true;
  }

  pen(canvas) {
    const pen = canvas.getContext("2d");
    const { width, height, scale } = this.size;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  rows() {
    const { height } = this.size;
    const bottom = Math.max(AXIS + 40, height - FOOT);
    const rows = { spectrum: [AXIS, bottom], wave: [bottom + GAP, bottom + GAP + WAVE] };
    let at = rows.wave[1] + GAP;
    for (const lane of LANES) {
      rows[lane.name] = [at, at + lane.height];
      at += lane.height + GAP;
    }
    return rows;
  }

  laneAt(y) {
    const rows = this.rows();
    return Object.keys(rows).find((name) => y >= rows[name][0] - 2 && y < rows[name][1] + 3) ?? null;
  }

  draw(scene) {
    const pen = this.pen(this.base);
    const rows = this.rows();
    const { shade } = scene;
    pen.font = `12px ${shade.font}`;
    pen.textBaseline = "middle";
    names(pen, rows, scene);
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, 0, this.size.width - GUTTER, this.size.height);
    pen.clip();
    pen.translate(GUTTER, 0);
    axis(pen, scene);
    spectrum(pen, rows.spectrum, scene);
    wave(pen, rows.wave, scene);
    stretches(pen, rows.speech, scene, scene.opened.speech, shade.speech);
    stretches(pen, rows.repeats, scene, scene.opened.repeats, shade.repeats);
    clips(pen, rows.clips, scene);
    proposals(pen, rows.proposals, scene);
    pen.restore();
  }

  // Frame and playhead. `frame`: { start, n, colour, dashed }; samples may be fractions while it plays.
  drawOver(scene, frame, playhead, pointer) {
    const pen = this.pen(this.over);
    const rows = this.rows();
    const { shade, view } = scene;
    pen.font = `12px ${shade.font}`;
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, 0, this.size.width - GUTTER, this.size.height);
    pen.clip();
    pen.translate(GUTTER, 0);
    const [top, bottom] = [rows.spectrum[0], rows.wave[1]];
    if (pointer !== null) {
      pen.fillStyle = shade.soft;
      pen.fillRect(Math.round(pointer), top, 1, bottom - top);
    }
    if (frame) frameOver(pen, scene, frame, top, bottom);
    if (playhead !== null) {
      const x = view.xOf(playhead);
      pen.fillStyle = shade.ground;
      pen.fillRect(x - 2, top, 4, bottom - top);
      pen.fillStyle = shade.ink;
      pen.fillRect(x - 1, top - 4, 2, bottom - top + 4);
      pen.beginPath();
      pen.moveTo(x - 6, top - 9);
      pen.lineTo(x + 6, top - 9);
      pen.lineTo(x, top);
      pen.fill();
    }
    pen.restore();
  }
}

function names(pen, rows, { shade, opened }) {
  pen.fillStyle = shade.soft;
  pen.textAlign = "right";
  for (const lane of LANES) pen.fillText(lane.name, GUTTER - 10, (rows[lane.name][0] + rows[lane.name][1]) / 2 + 0.5);
  const [top, bottom] = rows.spectrum;
  const hz = opened.view.rows_hz;
  for (const wanted of [250, 500, 1000, 2000, 4000, 8000]) {
    const row = hz.findIndex((one) => one >= wanted);
    if (row < 0) continue;
    const y = bottom - ((row + 0.5) / hz.length) * (bottom - top);
    if (y < top + 8 || y > bottom - 8) continue;
    pen.fillText(wanted < 1000 ? `${wanted} Hz` : `${wanted / 1000} kHz`, GUTTER - 10, y);
    pen.fillRect(GUTTER - 6, Math.round(y), 5, 1);
  }
}

function axis(pen, { view, shade }) {
  const { step, minor, digits } = axisSteps(view.perPixel / view.rate);
  const [from, to] = [view.start / view.rate, view.end / view.rate];
  pen.textAlign = "left";
  for (let mark = Math.floor(from / minor); mark * minor <= to; mark++) {
    const x = Math.round(view.xOf(mark * minor * view.rate));
    const isMajor = Math.abs(mark * minor - Math.round((mark * minor) / step) * step) < minor / 3;
    pen.fillStyle = isMajor ? shade.soft : shade.faint;
    pen.fillRect(x, isMajor ? 6 : AXIS - 6, 1, isMajor ? AXIS - 8 : 4);
    if (isMajor) pen.fillText(clock(mark * minor, digits), x + 5, 10);
  }
}

function spectrum(pen, [top, bottom], { view, tiles, shade, opened }) {
  const end = Math.min(view.xOf(view.samples), view.width);
  pen.fillStyle = `rgb(${[0, 8, 16].map((bits) => (shade.colours[0] >> bits) & 255).join(" ")})`;
  pen.fillRect(0, top, end, bottom - top);
  const level = tiles.levelOf(view.perPixel);
  const span = tiles.spanOf(level);
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "medium";
  for (const index of tiles.within(level, view.start, view.end)) {
    const found = tiles.best(level, index);
    if (!found) continue;
    const picture = pictureOf(found.tile, opened.view, shade);
    const part = 2 ** (found.level - level);
    const width = opened.view.columns / part;
    const from = (index - found.index * part) * width;
    const x = view.xOf(index * span);
    pen.drawImage(picture, from, 0, width, opened.view.rows, x, top, span / view.perPixel + 0.6, bottom - top);
  }
}

function wave(pen, [top, bottom], { view, tiles, shade }) {
  const level = tiles.levelOf(view.perPixel);
  const middle = (top + bottom) / 2;
  const half = (bottom - top) / 2;
  pen.fillStyle = shade.wave;
  for (let x = 0; x < view.width; x++) {
    const peak = tiles.peak(level, view.sampleAt(x), view.sampleAt(x + 1));
    if (!peak) continue;
    const [low, high] = peak.map(tall);
    pen.fillRect(x, middle - high * half, 1, Math.max(1, (high - low) * half));
  }
}

// Quiet sound is drawn taller than it is, or most films would be a line.
function tall(value) {
  return Math.sign(value) * Math.abs(value) ** 0.6;
}

function stretches(pen, [top, bottom], { view, shade }, spans, colour) {
  pen.fillStyle = shade.faint;
  pen.fillRect(0, (top + bottom) / 2, Math.min(view.width, view.xOf(view.samples)), 1);
  pen.fillStyle = colour;
  for (const [start, end] of spans) {
    if (end < view.start || start > view.end) continue;
    pen.fillRect(view.xOf(start), top, Math.max(1, (end - start) / view.perPixel), bottom - top);
  }
}

function box(pen, view, [top, bottom], { start, n }) {
  const x = view.xOf(start);
  pen.beginPath();
  pen.roundRect(x + 0.5, top + 0.5, Math.max(2, n / view.perPixel - 1), bottom - top - 1, Math.min(4, n / view.perPixel / 3));
  return { x, width: n / view.perPixel };
}

function clips(pen, row, { view, shade, picks, labels }) {
  pen.textAlign = "left";
  for (const clip of picks.sorted) {
    if (clip.start + clip.n < view.start || clip.start > view.end) continue;
    const label = labels.get(clip.emotion);
    const { x, width } = box(pen, view, row, clip);
    const isPicked = clip.arm === "picked";
    pen.fillStyle = label?.colour ?? (isPicked ? shade.soft : width > 5 ? shade.raised : shade.faint);
    pen.globalAlpha = isPicked ? 1 : label ? 0.55 : 1;
    pen.fill();
    pen.globalAlpha = 1;
    pen.setLineDash(clip.arm === "random" ? [3, 2] : []);
    pen.strokeStyle = shade.soft;
    pen.lineWidth = 1;
    if (!isPicked && width > 5) pen.stroke();
    pen.setLineDash([]);
    if (label && width > 18) {
      pen.fillStyle = "#111";
      pen.fillText(label.sign, x + 5, (row[0] + row[1]) / 2 + 0.5);
    }
  }
}

function proposals(pen, row, { view, shade, picks, rejected }) {
  for (const stop of picks.proposals) {
    if (stop.start + stop.n < view.start || stop.start > view.end) continue;
    if (stop.status === "reject" && !rejected) continue;
    const low = row[1] - Math.max(7, (0.25 + 0.75 * stop.score) * (row[1] - row[0]));
    box(pen, view, [low, row[1]], stop);
    pen.globalAlpha = stop.skipped ? 0.25 : 1;
    pen.fillStyle = stop.status === "reject" ? shade.faint : shade.speech;
    pen.strokeStyle = shade.soft;
    if (stop.skipped) pen.stroke();
    else pen.fill();
    pen.globalAlpha = 1;
  }
}

function frameOver(pen, { view, shade }, { start, n, colour, dashed }, top, bottom) {
  const [x, width] = [view.xOf(start), n / view.perPixel];
  pen.fillStyle = shade.isDark ? "rgb(255 255 255 / 7%)" : "rgb(0 40 90 / 7%)";
  pen.fillRect(x, top, width, bottom - top);
  pen.lineWidth = 4;
  pen.strokeStyle = shade.ground;
  pen.strokeRect(x, top + 1, width, bottom - top - 2);
  pen.lineWidth = 2;
  pen.strokeStyle = colour;
  pen.setLineDash(dashed ? [7, 4] : []);
  pen.strokeRect(x, top + 1, width, bottom - top - 2);
  pen.setLineDash([]);
}
