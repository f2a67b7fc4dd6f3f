/** Everything that is said to people, in one place to import from. */
export * from "./words/axes.ts";
export { formatBytes } from "./words/bytes.ts";
export { type ErrorWords, observeErrorWords } from "./words/errors.ts";
export { type FindingWords, findingTitle, findingWords, KIND_TITLES, type WordsInput } from "./words/findings.ts";
export { BITMAP_STATE_LABELS, REMEDY_LABELS } from "./words/remedies.ts";
export { type FindingTextContext, findingAsText, sourceWords } from "./words/text.ts";
export {
  isVerdictReason,
  VERDICT_REASONS,
  type VerdictReason,
  verdictLine,
  verdictReasonWords,
} from "./words/verdicts.ts";
