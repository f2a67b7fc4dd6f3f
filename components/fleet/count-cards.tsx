import type { AGREEMENTS, FRESHNESSES, NEXT_BACKUPS } from "#chain/model.ts";
import { formatCount } from "#client/format.ts";
import type { FleetState } from "#client/url-state.ts";
import { type AxisValue, describeAxis, TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { cx } from "#components/ui/cx.ts";
import { Skeleton } from "#components/ui/skeleton.tsx";

type Counts = {
  agreement: Record<string, number>;
  nextBackup: Record<string, number>;
  freshness: Record<string, number>;
};
type Patch = Partial<FleetState>;

const AXES = [
  {
    key: "agreement",
    title: "Agreement",
    question: "Do record and host tell the same story?",
    values: (["differs", "unknown", "checking", "agrees"] satisfies (typeof AGREEMENTS)[number][]).map(
      (value): AxisValue => ({ axis: "agreement", value }),
    ),
  },
  {
    key: "nextBackup",
    title: "Next backup",
    question: "What will the next run cost?",
    values: (["blocked", "full", "mixed", "unknown", "incremental"] satisfies (typeof NEXT_BACKUPS)[number][]).map(
      (value): AxisValue => ({ axis: "nextBackup", value }),
    ),
  },
  {
    key: "freshness",
    title: "Observation",
    question: "How old is what was read?",
    values: (["offline", "stale", "ageing", "fresh"] satisfies (typeof FRESHNESSES)[number][]).map(
      (value): AxisValue => ({ axis: "freshness", value }),
    ),
  },
] as const;

/**
 * One group an axis; each value is a switch that filters the list. Pressing the active one takes the filter away.
 * Every width follows from the words: groups and cards that do not fit beside each other wrap, nothing is cut off.
 */
export function CountCards(props: {
  state: FleetState;
  counts: Counts | null;
  /** They could not be read: "?" in place of each. */
  isUnknown: boolean;
  onChange: (patch: Patch) => void;
}) {
  return (
    <div className="flex flex-wrap gap-2">
      {AXES.map((axis) => (
        <fieldset key={axis.key} className="min-w-0 flex-auto rounded-lg border border-line bg-bg px-1.5 pb-1.5">
          <legend className="sr-only">{axis.title}</legend>
          {/* One line: the question is there only where it fits whole, and never makes the group wider. */}
          <p
            aria-hidden
            className="mx-2 mt-2 mb-1 flex h-4 flex-wrap gap-x-2 overflow-hidden text-xs whitespace-nowrap contain-inline-size"
          >
            <span className="font-medium text-ink">{axis.title}</span>
            <span className="text-ink-3">{axis.question}</span>
          </p>
          <div className="flex flex-wrap gap-1">
            {axis.values.map((value) => (
              <CountCard
                key={value.value}
                value={value}
                count={props.counts ? (props.counts[axis.key][value.value] ?? 0) : null}
                isUnknown={props.isUnknown}
                isOn={props.state[axis.key] === value.value}
                onToggle={(isOn) => props.onChange({ [axis.key]: isOn ? value.value : null, cursor: null })}
              />
            ))}
          </div>
        </fieldset>
      ))}
    </div>
  );
}

function CountCard(props: {
  value: AxisValue;
  count: number | null;
  isUnknown: boolean;
  isOn: boolean;
  onToggle: (isOn: boolean) => void;
}) {
  const { word, tone, Shape } = describeAxis(props.value);
  const isNone = props.count === 0;
  return (
    <button
      type="button"
      aria-pressed={props.isOn}
      title={word.hint}
      onClick={() => props.onToggle(!props.isOn)}
      className={cx(
        "flex min-h-8 min-w-max flex-auto items-center gap-2 rounded-md border px-2 text-left transition-colors hover:bg-hover max-sm:basis-[calc(50%-0.125rem)] sm:flex-col sm:items-start sm:gap-0 sm:py-1.5",
        props.isOn ? "border-line-strong bg-hover" : "border-transparent",
        // On a phone what is nowhere takes no line, unless it is the filter that makes it so.
        isNone && !props.isOn && "max-sm:hidden",
      )}
    >
      {props.count === null && props.isUnknown ? (
        <span className="font-semibold text-ink-3 max-sm:min-w-6 sm:text-xl" title="It could not be read.">
          ?
        </span>
      ) : props.count === null ? (
        <Skeleton className="my-1 h-5 w-8" />
      ) : (
        <span className={cx("font-semibold tracking-tight max-sm:min-w-6 sm:text-xl", isNone && "text-ink-3")}>
          {formatCount(props.count)}
        </span>
      )}
      <span className={cx("flex items-center gap-1 text-xs", props.count ? TONE_TEXT[tone] : "text-ink-3")}>
        <Shape size={13} strokeWidth={2.25} aria-hidden className="shrink-0" />
        <span className="whitespace-nowrap">{word.label}</span>
      </span>
    </button>
  );
}
