// Checks the objects in YAML files against the published types of Kubernetes, Istio, Envoy Gateway and Gateway API:
//
//     node --input-type=module - FILE... < check.mjs
//
// from the folder with the packages. TypeScript finds unknown fields and enum values; the validators check patterns,
// lengths and ranges. Prints JSON with the kinds, the objects, the problems, and the plugin configurations, which have no
// type.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

const SOURCES = {
  CronJob: "kubernetes-models/batch/v1/CronJob",
  Deployment: "kubernetes-models/apps/v1/Deployment",
  DestinationRule: "@kubernetes-models/istio/networking.istio.io/v1/DestinationRule",
  EnvoyExtensionPolicy: "@kubernetes-models/envoy-gateway/gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy",
  HTTPRoute: "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute",
  Namespace: "kubernetes-models/v1/Namespace",
  NetworkPolicy: "kubernetes-models/networking.k8s.io/v1/NetworkPolicy",
  PersistentVolumeClaim: "kubernetes-models/v1/PersistentVolumeClaim",
  Role: "kubernetes-models/rbac.authorization.k8s.io/v1/Role",
  RoleBinding: "kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding",
  ServiceAccount: "kubernetes-models/v1/ServiceAccount",
  VirtualService: "@kubernetes-models/istio/networking.istio.io/v1/VirtualService",
  WasmPlugin: "@kubernetes-models/istio/extensions.istio.io/v1alpha1/WasmPlugin",
};

// As Kubernetes reads it: in YAML 1.1, `off` is a boolean.
const read = (file) => parseAllDocuments(readFileSync(file, "utf8"), { version: "1.1", strict: true });
const problems = [];
const objects = process.argv.slice(2).flatMap((file) => {
  return read(file).map((document) => {
    problems.push(...document.errors.map((error) => `YAML: ${error.message}`));
    return document.toJS();
  });
});

const lines = [];
for (const [index, object] of objects.entries()) {
  const source = SOURCES[object?.kind];
  if (!source) {
    problems.push(`${object?.kind}: unknown kind`);
    continue;
  }
  try {
    const { [object.kind]: Type } = await import(source);
    new Type(object).validate();
  } catch (error) {
    problems.push(`${object.kind}: ${error.message}`);
  }
  lines.push(`import type { I${object.kind} as T${index} } from ${JSON.stringify(source)};`);
  lines.push(`export const o${index}: T${index} = ${JSON.stringify(object)};`);
}

const folder = mkdtempSync(join(process.cwd(), "check-"));
try {
  const file = join(folder, "objects.mts");
  writeFileSync(file, lines.join("\n"));
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false"];
  const modules = ["--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022"];
  const tsc = join(process.cwd(), "node_modules/typescript/bin/tsc");
  const run = spawnSync(process.execPath, [tsc, ...options, ...modules, file], { encoding: "utf8" });
  if (run.status !== 0) {
    const output = (run.stdout + run.stderr).trim();
    problems.push(...output.split("\n").map((line) => line.replace(/^.*\(\d+,\d+\): /, "")));
  }
} finally {
  rmSync(folder, { recursive: true });
}
const configurations = objects.flatMap(({ spec } = {}) => spec?.pluginConfig ?? (spec?.wasm ?? []).map((plugin) => plugin.config));
console.log(JSON.stringify({ kinds: objects.map((object) => object?.kind), objects, problems, configurations }));
