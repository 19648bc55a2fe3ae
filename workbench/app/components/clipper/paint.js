// One frame: what is seen of the source, the frame of the cut and the playhead over it, and the film in step.

const FILM_LATE_S = 0.12;

function paint(owner) {
  const { dom, source, drawing } = owner;
  const { view } = source;
  const { backgroundColor, color } = getComputedStyle(dom.clipper);
  const shadeKey = `${backgroundColor} ${color} ${source.name} ${source.whole.tiles.size}`;
  if (owner.shade?.key !== shadeKey) {
    owner.shade = { ...shadeOf(dom.base, rangeOf(source.whole.tiles.entries.values(), source.opened.view)), key: shadeKey };
    owner.stale = true;
  }
  if (drawing.fit()) owner.stale = true;
  view.resize(drawing.size.width - GUTTER);
  const playhead = owner.playhead();
  if (owner.play === "free") view.follow(playhead);
  if (view.step()) owner.stale = true;
  const { picks, tiles, whole, opened } = source;
  const { shade, labels, rejected } = owner;
  const scene = { view, shade, labels, rejected, picks, tiles, opened, whole, mined: owner.mining.mined };
  if (owner.stale) {
    owner.stale = false;
    source.look();
    whole.see(view.samples / Math.max(1, dom.overview.clientWidth), 0, view.samples);
    drawing.draw(scene);
    owner.whole.draw(scene, playhead);
  } else if (owner.play) owner.whole.draw(scene, playhead);
  drawing.drawOver(scene, frameOf(owner), owner.play === "listen" || owner.focus.kind === "free" ? playhead : null, owner.pointer);
  hoverOver(owner);
  inStep(dom.film, owner, playhead);
  if (owner.play === "free") display(owner);
}

function frameOf(owner) {
  const { source, focus, shade } = owner;
  const clip = focus.kind === "clip" ? source.picks.clips.get(focus.start) : null;
  const colour = owner.labels.get(clip?.emotion)?.colour ?? (clip ? shade.ink : shade.accent);
  const start = owner.play === "free" ? owner.playhead() : owner.anchor;
  return { start, n: source.length, colour, dashed: focus.kind === "proposal" };
}

function hoverOver({ dom, pointer, source }) {
  dom.hover.hidden = pointer === null;
  if (pointer === null) return;
  put(dom.hover, clock(source.view.sampleAt(pointer) / source.rate, 2));
  dom.hover.style.left = `${GUTTER + pointer}px`;
}

function showFilm(film, source) {
  const address = source?.opened.video ?? null;
  film.hidden = !address;
  film.parentElement.classList.toggle("with-film", Boolean(address));
  if (!address) film.removeAttribute("src");
  else if (film.getAttribute("src") !== address) {
    film.begins = null; // on its own clock: later than 0 where its file says so, and no browser goes further back
    film.onloadedmetadata = () => {
      film.begins = film.currentTime;
    };
    film.src = address;
  }
}

// The sound leads; the film is set right where it is late or early, and waits where it begins after the sound.
function inStep(film, { source, play, speed }, playhead) {
  if (film.hidden || !film.readyState || film.begins === null) return;
  const now = playhead / source.rate + (source.opened.video_offset_s ?? 0);
  const wanted = Math.max(now, film.begins);
  const isRunning = Boolean(play) && source.playback.playing && now >= film.begins;
  if (Math.abs(film.currentTime - wanted) > (isRunning ? FILM_LATE_S : 0.02) && !film.seeking) film.currentTime = wanted;
  film.playbackRate = speed;
  if (isRunning && film.paused) film.play().catch(() => {});
  else if (!isRunning && !film.paused) film.pause();
}
