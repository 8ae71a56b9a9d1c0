// What Grafana's own library makes of the bridge's answers: a question a line in, an answer a line out, both JSON.
//
// {"how": "each", "said": [element, ...]}  every element through toDataFrame, as panels and simPod's plugin do
// {"how": "whole", "said": [...]}          the list as one frame, as simPod's plugin reads the values of a variable
// {"how": "units"}                         the ids of all units that Grafana knows
// {"how": "markdown", "said": [text, ...]} the HTML that a text panel makes of each text, before anything is taken out of it
//
// Values that JSON cannot say come back as {"$": "NaN"}, "Infinity", "-Infinity" and "undefined". The first argument is
// the folder in whose node_modules the library is.
const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

globalThis.navigator ??= { language: "en", languages: ["en"] }; // units of time look at a browser's

const { toDataFrame, getFieldDisplayName, getValueFormats, renderTextPanelMarkdown } = createRequire(
  path.join(process.argv[2], "x"),
)("@grafana/data");

function told(value) {
  const odd = value === undefined || (typeof value === "number" && !Number.isFinite(value));
  return odd ? { $: String(value) } : value;
}

function shown(frame, _, frames) {
  const fields = frame.fields.map((field) => ({
    name: field.name,
    type: field.type,
    shownAs: getFieldDisplayName(field, frame, frames),
    config: field.config,
    labels: field.labels ?? null,
    nanos: field.nanos ?? null,
    values: Array.from(field.values, told),
  }));
  return { name: frame.name ?? null, refId: frame.refId ?? null, meta: frame.meta ?? null, length: frame.length, fields };
}

const answers = {
  each: (said) => said.map((element) => toDataFrame(element)).map(shown),
  whole: (said) => [toDataFrame(said)].map(shown),
  units: () => getValueFormats().flatMap((category) => category.submenu.map((unit) => unit.value)),
  markdown: (said) => said.map((text) => renderTextPanelMarkdown(text, { noSanitize: true })),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { how, said } = JSON.parse(line);
  let answer;
  try {
    answer = { made: answers[how](said) };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
});
