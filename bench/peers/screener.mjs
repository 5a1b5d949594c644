// Peer: technicalindicators (npm), the way browser screeners use it.
//
// `node screener.mjs FOLDER RULES RUNS`. Every trader's rule, for every symbol, calls
// `Indicator.calculate({ … })` on the symbol's arrays and looks at the last results. Each rule is a
// function as a person would write it: an indicator is computed when it is first needed, once, and
// `and` and `or` stop as soon as the answer is certain.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const library = createRequire(import.meta.url)("technicalindicators");
const COLUMNS = ["open", "high", "low", "close", "volume", "quote_volume"];

// The calculate call of a function of the rules, and the field of its results, if they have any.
function callOf([, name, sources, numbers]) {
  const [n, second, third] = numbers;
  const values = sources.length ? sources[0][1] : "close";
  const range = `{ high, low, close, period: ${n} }`;
  const averages = "SimpleMAOscillator: false, SimpleMASignal: false";
  const macd =
    `MACD.calculate({ values: close, fastPeriod: ${n}, slowPeriod: ${second}, ` +
    `signalPeriod: ${third}, ${averages} })`;
  const bands = `BollingerBands.calculate({ values: close, period: ${n}, stdDev: ${second} })`;
  const smoothed = `{ high, low, close, period: ${n}, signalPeriod: ${second} }`;
  const fast = `Stochastic.calculate(${smoothed})`;
  const slow = `${fast}.filter((x) => x.d !== undefined).map((x) => x.d)`;
  const calls = {
    sma: [`SMA.calculate({ values: ${values}, period: ${n} })`],
    ema: [`EMA.calculate({ values: ${values}, period: ${n} })`],
    rsi: [`RSI.calculate({ values: ${values}, period: ${n} })`],
    highest: [`Highest.calculate({ values: ${values}, period: ${n} })`],
    lowest: [`Lowest.calculate({ values: ${values}, period: ${n} })`],
    roc: [`ROC.calculate({ values: ${values}, period: ${n} })`],
    macd: [macd, "MACD"],
    macd_signal: [macd, "signal"],
    macd_hist: [macd, "histogram"],
    bb_upper: [bands, "upper"],
    bb_mid: [bands, "middle"],
    bb_lower: [bands, "lower"],
    // Its %D, an average of %K over signalPeriod, is the slow %K.
    stoch_k: [fast, "d"],
    stoch_d: [`SMA.calculate({ values: ${slow}, period: ${third} })`],
    adx: [`ADX.calculate(${range})`, "adx"],
    plus_di: [`ADX.calculate(${range})`, "pdi"],
    minus_di: [`ADX.calculate(${range})`, "mdi"],
    atr: [`ATR.calculate(${range})`],
    mfi: [`MFI.calculate({ high, low, close, volume, period: ${n} })`],
    cci: [`CCI.calculate(${range})`],
    willr: [`WilliamsR.calculate(${range})`],
    psar: [`PSAR.calculate({ high, low, step: ${n}, max: ${second} })`],
  };
  if (!calls[name]) throw new Error(`technicalindicators has no ${name}`);
  return calls[name];
}

function functionOf(formula) {
  const cache = new Map();
  const names = [];
  const name = () => {
    names.push(`v${names.length}`);
    return names.at(-1);
  };
  const value = (part, ago) => {
    const [kind, left, right] = part;
    if (kind === "number") return String(left);
    if (kind === "lag") return value(left, ago + right);
    if (kind === "series") return `${left}[${left}.length - ${1 + ago}]`;
    if (kind !== "call") return `(${value(left, ago)} ${kind} ${value(right, ago)})`;
    const [source] = part[2];
    if (left === "change") return `(${value(source, ago)} - ${value(source, ago + part[3][0])})`;
    if (left === "natr") {
      return `(100 * ${value(["call", "atr", [], part[3]], ago)} / ${value(["series", "close"], ago)})`;
    }
    const [call, field] = callOf(part);
    if (!cache.has(call)) cache.set(call, `s${cache.size}`);
    const made = cache.get(call);
    const last = `(${made} ??= ${call})[${made}.length - ${1 + ago}]`;
    return field ? `${last}?.${field}` : last;
  };
  const state = (part) => {
    const [kind, ...operands] = part;
    if (kind === "not") {
      const v = name();
      return `((${v} = ${state(operands[0])}) < 0 ? ${v} : 1 - ${v})`;
    }
    if (kind === "and" || kind === "or") {
      const [certain, rest] = kind === "and" ? [0, 1] : [1, 0];
      const made = operands.map((operand) => [name(), state(operand)]);
      const tests = made.map(([v, text]) => `(${v} = ${text}) === ${certain} ? ${certain} : `);
      return `(${tests.join("")}${made.map(([v]) => `${v} < 0`).join(" || ")} ? -1 : ${rest})`;
    }
    const [a, b] = [name(), name()];
    const unknown = [a, b].map((v) => `${v} === undefined || ${v} !== ${v}`).join(" || ");
    const sides = operands.map((operand) => value(operand, 0));
    return `(${a} = ${sides[0]}, ${b} = ${sides[1]}, ${unknown} ? -1 : ${a} ${kind} ${b} ? 1 : 0)`;
  };
  const expression = state(formula);
  const cleared = [...names, ...cache.values()].map((v) => `let ${v};`).join(" ");
  const used = [...new Set([...cache.keys()].flatMap((call) => call.match(/\b[A-Z]\w+(?=\.calc)/g)))];
  const body = `"use strict"; ${cleared} return ${expression};`;
  const made = new Function(...used, `return function (${COLUMNS.join(", ")}) { ${body} };`);
  return made(...used.map((indicator) => library[indicator]));
}

const [folder, rules, runs] = process.argv.slice(2);
const formulas = JSON.parse(readFileSync(`${folder}/formulas.json`)).slice(0, Number(rules));
const symbols = JSON.parse(readFileSync(`${folder}/columns.json`));
const functions = formulas.map(functionOf);
const states = new Int8Array(functions.length * symbols.length);
const seconds = [];
for (let run = 0; run < Number(runs); run++) {
  const began = performance.now();
  let place = 0;
  for (const rule of functions) {
    for (const columns of symbols) states[place++] = rule(...columns);
  }
  seconds.push((performance.now() - began) / 1000);
}
writeFileSync(`${folder}/screener.bin`, states);
console.log(JSON.stringify({ seconds }));
