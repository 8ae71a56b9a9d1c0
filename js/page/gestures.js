/** Hands on a chart: wheel and pinch zoom, drag pans, double click and keys. */

const WHEEL = 0.0016;

/**
 * Listen on an element that holds charts.
 * @param area () => {left, width} of the plotted stretch in client pixels
 * @param act {zoom(factor, at), pan(part), live(), all(), begin(), end()}
 */
export function listen(element, area, act) {
  const fingers = new Map();
  const at = (x) => Math.max(0, Math.min(1, (x - area().left) / area().width));

  element.addEventListener("wheel", (event) => {
    if (!event.target.closest(".body")) return;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      act.pan((event.deltaX || event.deltaY) / area().width);
    } else if (!event.altKey) {
      event.preventDefault();
      const pixels = event.deltaMode ? event.deltaY * 16 : event.deltaY;
      act.zoom(Math.exp(Math.max(-400, Math.min(400, pixels)) * WHEEL), at(event.clientX));
    }
  }, { passive: false });

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.target.closest(".chart")) return;
    fingers.set(event.pointerId, event.clientX);
  });
  element.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    if (fingers.size === 1 && Math.abs(event.clientX - before[0]) < 3 && !element.hasPointerCapture(event.pointerId)) return;
    if (!element.hasPointerCapture(event.pointerId)) element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    const after = [...fingers.values()];
    if (after.length === 1) act.pan((before[0] - after[0]) / area().width);
    else pinch(before, after);
  });
  const lift = (event) => fingers.delete(event.pointerId);
  element.addEventListener("pointerup", lift);
  element.addEventListener("pointercancel", lift);
  element.addEventListener("dblclick", (event) => event.target.closest(".chart") && act.live());
  element.addEventListener("keydown", (event) => press(event, act));

  function pinch(before, after) {
    const was = Math.abs(before[0] - before[1]);
    const is = Math.abs(after[0] - after[1]);
    if (was > 10 && is > 10) act.zoom(was / is, at((after[0] + after[1]) / 2));
    act.pan((before[0] + before[1] - after[0] - after[1]) / 2 / area().width);
  }
}

const KEYS = {
  ArrowLeft: (act) => act.pan(-0.1),
  ArrowRight: (act) => act.pan(0.1),
  PageUp: (act) => act.pan(-0.9),
  PageDown: (act) => act.pan(0.9),
  "+": (act) => act.zoom(0.5, 0.5),
  "=": (act) => act.zoom(0.5, 0.5),
  "-": (act) => act.zoom(2, 0.5),
  Home: (act) => act.all(),
  End: (act) => act.live(),
  Escape: (act) => act.live(),
};

function press(event, act) {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](act);
}
