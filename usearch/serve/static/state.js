// What is asked, as the address of the page has it: back, forward and bookmarks just work.
//
//   ?q=red car -toy          words; what follows " -" is not wanted
//   &t=segment:65537         more terms: segment:ID, photo:ID, photo:ID@x0,y0,x1,y1, upload:ID...
//   &min= &per= &size= &path= &from= &to= &where= &all=1     filters
//   &photo=ID                the photo that is open

export const FILTERS = ["min", "per", "size", "path", "from", "to", "where"];
const EMPTY = { q: "", terms: [], all: false, photo: null, min: "", per: "1", size: "", path: "", from: "", to: "", where: "" };

const TERM = /^(segment|photo|upload):([\w-]{1,40})(?:@([\d.,]+))?$/;

/** State of an address; what makes no sense in it is left out. */
export function readState(query = location.search) {
  const given = new URLSearchParams(query);
  const state = { ...EMPTY, terms: [] };
  for (const key of ["q", ...FILTERS]) if (given.has(key)) state[key] = given.get(key).slice(0, 1500);
  if (given.get("per") === "all") state.per = "";
  state.all = given.get("all") === "1";
  state.photo = /^\d{1,18}$/.test(given.get("photo") ?? "") ? given.get("photo") : null;
  for (const text of given.getAll("t").slice(0, 8)) {
    const found = TERM.exec(text);
    if (!found) continue;
    const box = found[3]?.split(",").map(Number);
    if (box && (box.length !== 4 || box.some(Number.isNaN))) continue;
    state.terms.push({ kind: found[1], id: found[2], box });
  }
  return state;
}

/** The address of a state. */
export function address(state) {
  const query = new URLSearchParams();
  if (state.q) query.set("q", state.q);
  for (const term of state.terms) query.append("t", `${term.kind}:${term.id}${term.box ? `@${term.box.join(",")}` : ""}`);
  for (const key of FILTERS) if (state[key] !== EMPTY[key]) query.set(key, state[key] === "" ? "all" : state[key]);
  if (state.all) query.set("all", "1");
  if (state.photo) query.set("photo", state.photo);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

/** Words to texts that are wanted and texts that are not: "red car -toy -old truck". */
export function splitWords(words) {
  const [first, ...rest] = ` ${words.trim()}`.split(/\s-(?=\S)/u);
  const tidy = (text) => text.trim().replace(/^"(.*)"$/u, "$1").trim();
  return { wanted: [tidy(first)].filter(Boolean), unwanted: rest.map(tidy).filter(Boolean) };
}

/** Whether a state asks anything. */
export const asks = (state) => state.terms.length > 0 || splitWords(state.q).wanted.length > 0;

/** How many filters are set. */
export const filtersSet = (state) => FILTERS.filter((key) => state[key] !== EMPTY[key]).length;

/** The state with the filters as they are at first. */
export const withoutFilters = (state) =>
  ({ ...state, ...Object.fromEntries(FILTERS.map((key) => [key, EMPTY[key]])) });

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const literal = (text) => text.replace(/[[\]*?\\]/gu, (sign) => `[${sign}]`);
const SIZES = { small: "area < 2%", medium: "area between 2% and 20%", large: "area > 20%" };

/** The filter of the simple controls and of the free text together. */
export function whereOf(state) {
  const parts = [];
  if (SIZES[state.size]) parts.push(SIZES[state.size]);
  if (state.path) parts.push(`path ~ ${quoted(`*${literal(state.path)}*`)}`);
  if (/^\d{4}-\d\d-\d\d$/.test(state.from)) parts.push(`taken_at >= ${state.from}`);
  if (/^\d{4}-\d\d-\d\d$/.test(state.to)) parts.push(`taken_at <= ${state.to}`);
  const free = state.where.trim();
  if (free) parts.push(parts.length ? `(${free})` : free);
  return parts.join(" and ");
}

/** The body of POST /search for a state. */
export function searchBody(state, offset, k) {
  const { wanted, unwanted } = splitWords(state.q);
  const body = {
    terms: [
      ...wanted.map((text) => ({ text })),
      ...state.terms.map(({ kind, id, box }) => ({ [kind]: kind === "upload" ? id : Number(id), ...(box ? { box } : {}) })),
    ],
    minus: unwanted.map((text) => ({ text })),
    where: whereOf(state),
    offset,
    k,
    all: state.all,
  };
  if (state.per) body.per_image = Number(state.per);
  if (state.min !== "" && !state.all) body.min_score = Number(state.min);
  return body;
}
