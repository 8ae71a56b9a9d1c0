/** Types of sisock.js. Times are milliseconds since 1970 UTC; where a time is asked for, zero or less means ago. */

export type State = "connecting" | "connected" | "lost" | "refused" | "closed";
export type FieldType = "number" | "string" | "bool";
export type Reduction = "minmax" | "m4" | "mean" | "band" | "lttb";
/** Numbers (NaN where missing), texts or booleans (null where missing). */
export type Values = Float64Array | (string | null)[] | (boolean | null)[];

export interface Node {
  name: string;
  description: string;
  state: "up" | "away";
  since: number;
  sensitive: boolean;
  info: { v?: number; kind?: "live" | "archive" | "command"; version?: string };
}

export interface Field {
  description: string | null;
  timeline: string;
  type: FieldType;
  units: string | null;
}

export interface Timeline {
  /** Mean seconds between samples. */
  interval: number | null;
  field: string[];
}

/** One time axis of an answer. */
export interface Axis {
  t: Float64Array;
  of: string;
  epoch: string | null;
  seq: number | null;
  finalizedUntil: number | null;
  /** Number of samples behind the points. */
  samples: number;
  gaps: [number, number][];
}

export class Answer {
  axes: Record<string, Axis>;
  columns: Record<string, { axis: string; values: Values }>;
  label: { method: string; bin: number | null; notices: string[] };
  series(field: string): { t: Float64Array; values: Values; axis: Axis | null };
  readonly samples: number;
  readonly empty: boolean;
  without(key: string, rows: number): Answer;
  only(fields: string[]): Answer;
}

export class SisockError extends Error {
  kind: string;
}

export interface DataOptions {
  maxPoints?: number;
  reduce?: Reduction;
  minStride?: number;
  since?: Record<string, [string, number]>;
  deadline?: number;
}

export interface LiveOptions {
  /** Milliseconds of history that come first. */
  last?: number;
  maxPoints?: number;
  reduce?: Reduction;
  /** Ask every so many ms as well, for nodes that publish nothing live. */
  poll?: number;
}

export interface Client {
  nodes(): Promise<Node[]>;
  fields(
    node: string,
    start?: number | null,
    end?: number | null,
  ): Promise<{ fields: Record<string, Field>; timelines: Record<string, Timeline> }>;
  data(
    node: string,
    fields: Iterable<string>,
    start?: number | null,
    end?: number | null,
    options?: DataOptions,
  ): Promise<Answer>;
  live(
    node: string,
    fields: Iterable<string>,
    options: LiveOptions,
    onUpdate: (answer: Answer, about: { history: boolean }) => void,
    onProblem?: (problem: SisockError) => void,
  ): () => void;
  onNodes(
    callback: (what: "added" | "subtracted" | "started", node?: { name: string; description: string }) => void,
  ): Promise<() => void>;
  onState(callback: (state: State, sentence: string) => void): () => void;
  signIn(token: string): void;
  close(): void;
}

export function connect(options: {
  url: string;
  token?: string | null;
  realm?: string;
  prefix?: string;
  storage?: Storage | null;
}): Client;
