// Colours of the canvas, taken from the page's own, and the scale of the spectrum: even steps of lightness, dark ground to
// pale in the dark, pale ground to dark in the light (stops of seaborn's "mako", Waskom 2021).

const MAKO = ["#0b0405", "#2e1e3c", "#413d7b", "#37659e", "#348fa7", "#40b7ad", "#8bdab2", "#def5e5"];
const LEAST_RANGE_DB = 38;
const QUIET_SHARE = 0.4; // of all there is in a film is its noise: it becomes the ground
const LOUD_SHARE = 0.998;

// From which value to which the spectrum of a recording goes, told from its coarse tiles.
function rangeOf(tiles, form) {
  const counts = new Float64Array(256);
  for (const { cells } of tiles) for (const value of cells) counts[value] += 1;
  counts[0] = 0; // past the end, and digital silence
  const all = counts.reduce((sum, one) => sum + one, 0);
  const step = 255 / (form.top_db - form.floor_db);
  if (!all) return [10 * step, 70 * step];
  const at = (share) => {
    let sum = 0;
    return counts.findIndex((one) => (sum += one) >= share * all);
  };
  const low = at(QUIET_SHARE);
  return [low, Math.max(at(LOUD_SHARE), low + LEAST_RANGE_DB * step)];
}

function shadeOf(element, [low, high]) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  const ground = rgbOf(colour("--ground"));
  const isDark = ground.reduce((sum, one) => sum + one, 0) < 384;
  const stops = (isDark ? MAKO.slice(1) : MAKO.slice(1).reverse()).map(rgbOf);
  stops[0] = isDark ? ground.map((one) => one * 0.8) : [246, 250, 248];
  if (isDark) stops[1] = [38, 33, 66];
  const colours = Uint32Array.from({ length: 256 }, (_, value) => {
    const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
    const place = share * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(place));
    const mixed = stops[below].map((one, i) => Math.round(one + (place - below) * (stops[below + 1][i] - one)));
    return (255 << 24) | (mixed[2] << 16) | (mixed[1] << 8) | mixed[0];
  });
  return {
    colours,
    isDark,
    ground: colour("--ground"),
    raised: colour("--raised"),
    ink: colour("--ink"),
    soft: mix(ground, rgbOf(colour("--ink")), 0.66),
    faint: mix(ground, rgbOf(colour("--ink")), 0.14),
    wave: mix(ground, rgbOf(colour("--ink")), 0.42),
    speech: mix(ground, rgbOf(colour("--accent")), 0.75),
    repeats: isDark ? "#c9a26b" : "#8a6a2f",
    accent: colour("--accent"),
    font: style.fontFamily,
  };
}

function rgbOf(text) {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  pen.fillStyle = text || "#000";
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

function mix(from, to, share) {
  return `rgb(${from.map((one, i) => Math.round(one + share * (to[i] - one))).join(" ")})`;
}
