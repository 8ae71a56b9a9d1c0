// Grafana's types as JSON has them: a member of an enum is its value.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfigSource } from "@grafana/schema";
import type * as dashlist from "@grafana/schema/dist/esm/raw/composable/dashboardlist/panelcfg/x/DashboardListPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as states from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as text from "@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen";
import type * as lines from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

export type Plain<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer N extends number}`
        ? N
        : never
      : T extends boolean | null | undefined
        ? T
        : T extends Array<infer U>
          ? Plain<U>[]
          : { [K in keyof T]: Plain<T[K]> };

type Of<Options, Custom> = { options: Plain<Options>; fieldConfig: Plain<FieldConfigSource<Custom>> };

// A panel's options and the configuration of its fields, by its type.
export type Panels = {
  dashlist: { options: Plain<dashlist.Options> };
  text: { options: Plain<text.Options> };
  stat: Of<stat.Options, Record<string, never>>;
  "state-timeline": Of<states.Options, states.FieldConfig>;
  table: Of<table.Options, table.FieldConfig>;
  timeseries: Of<lines.Options, lines.FieldConfig>;
};
// SimpleJSON adds `query` to an annotation; simPod's and Prometheus's queries are as in panels, and Prometheus says more.
interface Asked extends DataQuery {
  target: string;
  payload: Record<string, unknown>;
  editorMode: string;
}
interface Computed extends DataQuery {
  expr: string;
  legendFormat: string;
  editorMode: string;
  instant: boolean;
  range: boolean;
  format: string;
}
type Told = { query?: string; expr?: string; step?: string; titleFormat?: string; textFormat?: string; tagKeys?: string };
type Annotations = { annotations?: { list?: (Plain<AnnotationQuery<Asked | Computed>> & Told)[] } };
export type Page = Omit<Plain<Dashboard>, "annotations"> & Annotations;
