// Wheel, drag and pinch over the picture; a press without a drag means the place under it.

const DRAG_PX = 4;
const WHEEL = 0.0016; // per pixel of wheel: a notch zooms by a sixth

class Pointer {
  // `owner`: view(), changed(), pressed(x, y, isDouble), hovered(x or null).
  constructor(element, owner) {
    this.element = element;
    this.owner = owner;
    this.down = new Map(); // pointer id → x
    this.dragged = false;
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.press(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.lift(event));
    element.addEventListener("pointercancel", (event) => this.lift(event));
    element.addEventListener("pointerleave", () => this.owner.hovered(null));
  }

  at(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left - GUTTER, event.clientY - box.top];
  }

  wheel(event) {
    const view = this.owner.view();
    if (!view) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY)) view.pan(across * unit);
    else view.zoom(Math.exp(event.deltaY * unit * WHEEL), Math.max(0, this.at(event)[0]));
    this.owner.changed();
  }

  press(event) {
    if (event.button) return;
    this.element.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, this.at(event)[0]);
    if (this.down.size === 1) {
      this.dragged = false;
      this.from = this.at(event);
    } else this.dragged = true;
  }

  move(event) {
    const [x] = this.at(event);
    const view = this.owner.view();
    this.owner.hovered(x >= 0 ? x : null);
    if (!view || !this.down.has(event.pointerId)) return;
    const before = [...this.down.values()];
    if (before.length === 1) {
      if (!this.dragged && Math.abs(x - this.from[0]) < DRAG_PX) return;
      this.dragged = true;
      view.pan(before[0] - x);
    }
    this.down.set(event.pointerId, x);
    if (before.length === 2) {
      const after = [...this.down.values()];
      const apart = (pair) => Math.max(20, Math.abs(pair[0] - pair[1]));
      const middle = (pair) => (pair[0] + pair[1]) / 2;
      view.zoom(apart(before) / apart(after), middle(after));
      view.pan(middle(before) - middle(after));
    }
    this.owner.changed();
  }

  lift(event) {
    if (!this.down.delete(event.pointerId) || this.down.size) return;
    if (!this.dragged && event.type === "pointerup") this.owner.pressed(...this.at(event));
  }
}
