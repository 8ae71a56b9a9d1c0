/** What the address of the page says: a token once, then which fields and which stretch of time are shown. */

/** Read a fragment: {token, realm, prefix, fields: [[node, field]], span, end}. */
export function read(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const fields = said.getAll("f").map((target) => target.split(/::(.*)/s).slice(0, 2)).filter(([, field]) => field);
  return {
    token: said.get("token"),
    realm: said.get("realm"),
    prefix: said.get("prefix"),
    fields,
    span: positive(said.get("span")),
    end: positive(said.get("end")),
  };
}

/** The fragment of what is shown. */
export function write(lines, view) {
  const said = new URLSearchParams();
  for (const { node, field } of lines) said.append("f", `${node}::${field}`);
  said.append("span", Math.round(view.span));
  if (!view.live) said.append("end", Math.round(view.end));
  return `#${said}`;
}

function positive(text) {
  const value = Number(text);
  return text && Number.isFinite(value) && value > 0 ? value : null;
}
