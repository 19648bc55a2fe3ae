// Times as this page says them, made of samples: "12:03", "1:02:03.120", "about 14 min".

function clock(seconds, digits = 0) {
  const unit = 10 ** digits;
  const all = Math.max(0, Math.round(seconds * unit));
  const whole = Math.floor(all / unit);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  const head = hours ? `${hours}:${two(minutes)}` : String(minutes);
  return `${head}:${two(rest)}${digits ? `.${String(all % unit).padStart(digits, "0")}` : ""}`;
}

function aboutTime(seconds) {
  if (seconds < 45) return "under a minute";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes} min`;
  return `about ${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function amount(count, thing) {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}

// Marks of the time axis: every `step` seconds one with words, in between short ones.
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

function axisSteps(secondsPerPixel, leastPixels = 88) {
  const step = STEPS.find((one) => one / secondsPerPixel >= leastPixels) ?? STEPS.at(-1);
  const parts = { 15: 3, 30: 3, 60: 6, 120: 4, 900: 3, 1800: 3, 3600: 4 }[step] ?? (String(step).includes("2") ? 4 : 5);
  return { step, minor: step / parts, digits: step >= 1 ? 0 : step >= 0.1 ? 1 : 2 };
}
