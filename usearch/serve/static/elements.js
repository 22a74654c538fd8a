// Small helpers around the DOM. Text only ever enters through textContent and attributes
// that cannot run: nothing on this page is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element with properties, listeners (`onclick`, ...), data and children. */
export function el(name, options = {}, ...children) {
  return filled(document.createElement(name), options, children);
}

/** The same for SVG. */
export function svg(name, options = {}, ...children) {
  return filled(document.createElementNS(SVG, name), options, children);
}

function filled(element, options, children) {
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key === "class") element.setAttribute("class", value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/** The dimmed surroundings and the outline of a segment, over a photo of `size` pixels. */
export function segmentOverlay(size, outline) {
  const { width, height } = size;
  return svg(
    "svg",
    { class: "outline", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "dim", "fill-rule": "evenodd", d: `M0 0H${width}V${height}H0Z${outline}` }),
    svg("path", { class: "halo", d: outline }),
    svg("path", { class: "line", d: outline }),
  );
}

/** The photo's file name, and the folders before it. */
export function splitPath(path) {
  const at = path.lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
}

export const percent = (share) =>
  share >= 0.1 ? `${Math.round(share * 100)} %` : share >= 0.001 ? `${(share * 100).toFixed(1)} %` : "<0.1 %";

export const counted = (n, word, many = `${word}s`) => `${n.toLocaleString("en")} ${n === 1 ? word : many}`;
