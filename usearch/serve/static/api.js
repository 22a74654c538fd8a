// The HTTP API as functions. /openapi.json describes it.

const API = "/api/v1";

/** A refusal: what is wrong, what to do, and where in the filter, as the server said it. */
export class Refusal extends Error {
  constructor(status, { code = "", message = "", hint = "", excerpt = "" }) {
    super(message || "The server does not answer.");
    Object.assign(this, { status, code, hint, excerpt });
  }
}

async function reply(path, options = {}) {
  let response;
  try {
    response = await fetch(API + path, { credentials: "same-origin", ...options });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Refusal(0, { code: "offline", message: "The server does not answer.", hint: "Is usearch serve still running?" });
  }
  const values = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, values.error ?? {});
  return values;
}

export const info = () => reply("/info");

export const search = (request, signal) =>
  reply("/search", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });

export const photo = (id, signal) => reply(`/photos/${id}`, { signal });
export const segments = (id, signal) => reply(`/photos/${id}/segments`, { signal });

export const upload = (blob) =>
  reply("/uploads", { method: "POST", headers: { "Content-Type": blob.type || "image/unknown" }, body: blob });

const classQuery = (names) => names.map((name) => `class=${encodeURIComponent(name)}`).join("&");
export const classMap = (id, names, signal) => reply(`/photos/${id}/classmap?${classQuery(names)}`, { signal });
export const classMapPicture = (id, names) => `${API}/photos/${id}/classmap.png?${classQuery(names)}`;

export const thumbnail = (id, side = 512) => `${API}/photos/${id}/thumbnail?side=${side}`;
export const image = (id, side = 1024) => `${API}/photos/${id}/image?side=${side}`;
export const uploaded = (id) => `${API}/uploads/${encodeURIComponent(id)}`;
