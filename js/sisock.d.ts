/** Types of sisock.js. Times are milliseconds since 1970 UTC; where a time is asked for, zero or less means ago. */

export type State = "connecting" | "connected" | "lost" | "refused" | "closed";
export type FieldType = "number" | "string" | "bool";
/** `minmax`, `m4` and `band` keep every spike; all but `minmax`, `m4`, `lttb` and `stride` answer per bin. */
export type Reduction =
  | "minmax"
  | "m4"
  | "band"
  | "mean"
  | "first"
  | "last"
  | "count"
  | "std"
  | "lttb"
  | "stride"
  | "bins";
/** Numbers (NaN where missing), texts or booleans (null where missing). */
export type Values = Float64Array | (string | null)[] | (boolean | null)[];

export interface Node {
  name: string;
  description: string;
  state: "up" | "away";
  since: number;
  sensitive: boolean;
  info: { v?: number; kind?: "live" | "archive" | "command" | "recorder"; version?: string; tags?: string[]; health?: "no data" | "failed" };
  /** Recorders that answer for its past. */
  kept_by: string[];
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
  /** `bin`: width of its bins, ms; `tier`: that of the stored bins they were made of, null where made of the samples. */
  label: { method: string; bin: number | null; tier: number | null; notices: string[] };
  /** Of `band` and `bins` also `field::min`, `field::max`, `field::count` and so on. */
  series(field: string): { t: Float64Array; values: Values; axis: Axis | null };
  readonly samples: number;
  readonly empty: boolean;
  without(key: string, rows: number): Answer;
  only(fields: string[]): Answer;
  noting(notice: string): Answer;
}

export class SisockError extends Error {
  kind: string;
}

export interface DataOptions {
  maxPoints?: number;
  /** Bins of exactly so many ms (down to nanoseconds), on multiples of it since 1970, in place of `maxPoints`. */
  bin?: number;
  reduce?: Reduction;
  minStride?: number;
  since?: Record<string, [string, number]>;
  deadline?: number;
}

export interface LiveOptions {
  /** Milliseconds of history that come first. */
  last?: number;
  maxPoints?: number;
  bin?: number;
  reduce?: Reduction;
  /** Ask every so many ms as well, for nodes that publish nothing live. */
  poll?: number;
  /** Asks in place of `client.data`, for who keeps its questions in order. */
  data?: Client["data"];
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
  sample(node: string, fields: Iterable<string>, t?: number, which?: "at" | "before" | "after"): Promise<Answer>;
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
  signIn(who: string | { name: string; password: string }): void;
  /** Who is signed in; "page" for who came by a link, null before. */
  readonly who: string | null;
  signOut(): Promise<void>;
  close(): void;
}

export function connect(options: {
  url: string;
  token?: string | null;
  realm?: string;
  prefix?: string;
  storage?: Storage | null;
}): Client;
