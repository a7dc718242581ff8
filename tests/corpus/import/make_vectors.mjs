// Writes the tables of treatments with the SDKs of GrowthBook and flagd. README.md has the commands.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { GrowthBook } = require("@growthbook/growthbook");
const { FlagdCore } = require("@openfeature/flagd-core");

const here = (path) => new URL(path, import.meta.url);
const read = (path) => JSON.parse(readFileSync(here(path), "utf8"));

const keys = [];
for (let n = 0; n < 1500; n++) keys.push(`account-${n}`);
for (let n = 0; n < 500; n++) keys.push("AC" + createHash("md5").update(String(n)).digest("hex"));

const contexts = [];
for (const country of ["de", "us"])
  for (const plan of ["free", "pro"])
    for (const email of ["a@example.com", "b@example.org"])
      for (const tier of ["gold", "free"]) contexts.push({ country, plan, email, tier });

const tables = {};

// `isV2(key, attributes)`; a bound holds for all attributes.
function write(tool, name, isV2, bound = false) {
  const asked = bound ? contexts : contexts.slice(0, 1);
  const column = keys.map((key) => (asked.every((attributes) => isV2(key, attributes)) ? "v2" : "v1"));
  const table = (tables[`${tool}/${bound ? "bounds" : "treatments"}.csv`] ??= [["key", ...keys]]);
  table.push([name, ...column]);
}

{
  const { features, savedGroups } = read("growthbook/export.json");
  const asked = (name, v2 = true, attribute = "id") => (key, attributes) => {
    const growthbook = new GrowthBook({ features, savedGroups, attributes: { ...attributes, [attribute]: key } });
    return growthbook.getFeatureValue(name, null) === v2;
  };
  for (const name of ["coverage", "adds-up", "experiment", "namespace", "ranges", "range", "everyone", "nobody"])
    write("growthbook", name, asked(name));
  write("growthbook", "company", asked("company", true, "company"));
  write("growthbook", "first", asked("first", "v2"), true);
  write("growthbook", "words", asked("words", "new"), true);
  write("growthbook", "mixed", asked("mixed"), true);
  write("growthbook", "numbers", asked("numbers"), true);
  write("growthbook", "unknown", asked("unknown"), true);
}

{
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const core = new FlagdCore(undefined, quiet);
  core.setConfigurations(readFileSync(here("flagd/export.json"), "utf8"));
  const asked = (name) => (key, attributes) =>
    core.resolveBooleanEvaluation(name, false, { ...attributes, targetingKey: key }, quiet).value === true;
  for (const name of ["fractional", "at-the-end", "totals", "key-alone", "evaluators", "everyone", "targeting-empty"])
    write("flagd", name, asked(name));
  const color = (key) => core.resolveStringEvaluation("colors", "", { targetingKey: key }, quiet).variant === "red";
  write("flagd", "colors", color, true);
  write("flagd", "unknown", asked("unknown"), true);
}

for (const [path, columns] of Object.entries(tables)) {
  const rows = columns[0].map((_, row) => columns.map((column) => column[row]).join(","));
  writeFileSync(here(path), [...rows, ""].join("\n"));
}
