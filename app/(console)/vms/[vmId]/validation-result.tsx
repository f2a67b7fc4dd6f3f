import type { InferContractRouterOutputs } from "@orpc/contract";
import { CircleCheck, CircleQuestionMark, CircleX, X } from "lucide-react";
import { findingTitle } from "#chain/words.ts";
import { plural } from "#client/format.ts";
import { HostError } from "#components/patterns/host-error.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { IconButton } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import type { engineContract } from "#contract/engine.ts";

type Validation = InferContractRouterOutputs<typeof engineContract>["vms"]["validate"];

/**
 * The answer over the complete set, which libvirt's own per-item validation cannot give. `isOld`: it was so then, and
 * says nothing about now.
 */
export function ValidationResult(props: { result: Validation; isOld: boolean; onClose: () => void }) {
  const { result, isOld, onClose } = props;
  const { valid, findings, unknown, observedAt } = result;
  const is = isOld ? "was" : "is";
  return (
    <section
      aria-label="Validation"
      className={cx("flex gap-3 rounded-lg border border-line bg-surface px-4 py-3", isOld && "hatched")}
    >
      <span className="mt-0.5 shrink-0">
        {valid === null ? (
          <CircleQuestionMark size={16} aria-hidden className="text-ink-2" />
        ) : valid ? (
          <CircleCheck size={16} aria-hidden className={isOld ? "text-ink-2" : "text-ok"} />
        ) : (
          <CircleX size={16} aria-hidden className={isOld ? "text-ink-2" : "text-bad"} />
        )}
      </span>
      <div className="min-w-0 flex-1">
        <p className="font-medium">
          {valid === null
            ? "Cannot tell whether the complete set is valid."
            : valid
              ? `The complete set ${is} valid.`
              : `The complete set ${is} not valid: ${plural(findings.length, "finding")}.`}
          {observedAt && (
            <span className="font-normal text-ink-3">
              {" "}
              Read <Moment at={observedAt} />. Nothing was changed.
              {isOld && " Whether that is still so cannot be told: validate again."}
            </span>
          )}
        </p>
        <ul className="text-ink-2">
          {findings.slice(0, 5).map((finding) => (
            <li key={finding.id}>{findingTitle(finding)}</li>
          ))}
          {findings.length > 5 && <li>and {findings.length - 5} more, all listed under Findings.</li>}
        </ul>
        {unknown.map(({ disk, error }) => (
          <div key={`${disk}${error.code}`} className="mt-1">
            {disk && <span className="font-mono text-xs">{disk}: </span>}
            <HostError error={error} />
          </div>
        ))}
      </div>
      <IconButton label="Close the validation result" onClick={onClose}>
        <X size={14} aria-hidden />
      </IconButton>
    </section>
  );
}
