"use client";
import { Archive, Copy, Download, Eye, LoaderCircle, ShieldCheck } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";
import { POWER_LABELS } from "#chain/words.ts";
import { plural } from "#client/format.ts";
import { intentLabel } from "#client/intents.ts";
import { nextBackupOf } from "#client/vm-axes.ts";
import { isPast } from "#client/words.ts";
import { AxisBadge } from "#components/patterns/axis-badge.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { Breadcrumb } from "#components/ui/breadcrumb.tsx";
import { Button, buttonLook, IconButton } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import type { Chain, Vm } from "#contract/engine-vms.ts";

type Props = {
  chain: Chain;
  /** undefined: not read, or not any more. */
  vm: Vm | undefined;
  isVmUnread: boolean;
  isObserving: boolean;
  isValidating: boolean;
  noObserve: string | null;
  noValidate: string | null;
  onObserve: () => void;
  onValidate: () => void;
  onCopyId: () => void;
};

const nameOfHost = ({ hostId, hostName, simulated }: Chain["vm"]) =>
  `${hostName ?? hostId}${simulated ? " (simulated)" : ""}`;

const SOURCES = { qmp: "from the running VM", image: "from the images" } as const;

/** Who this VM is, its three axes, how old what is shown is, and the two reads. */
export function VmHeader(props: Props) {
  const { chain, vm } = props;
  const past = isPast(chain.freshness) || chain.host.status === "failed";
  return (
    <div className="space-y-2.5">
      <Breadcrumb
        parts={[
          { href: "/vms", text: "VMs" },
          chain.vm.hostId ? { href: `/vms?host=${chain.vm.hostId}`, text: nameOfHost(chain.vm) } : { text: "no host" },
        ]}
      />
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words">{chain.vm.name}</h1>
        <IconButton label={`Copy the id ${chain.vm.id}`} onClick={props.onCopyId}>
          <Copy size={14} aria-hidden />
        </IconButton>
        {vm?.job && (
          <Link
            href={`/jobs/${vm.job.id}`}
            className="inline-flex min-h-7 items-center gap-1.5 text-info underline underline-offset-2"
          >
            <LoaderCircle size={14} aria-hidden className="animate-turn" />
            <span>
              {intentLabel(vm.job.kind)} since <Moment at={vm.job.startedAt} />
            </span>
          </Link>
        )}
        {props.isVmUnread && <span className="hatched rounded-sm px-1 text-ink-2">Job: cannot tell</span>}
        <div className="ml-auto flex flex-wrap gap-2">
          <Link href={`/vms/${chain.vm.id}/backups`} className={buttonLook()}>
            <Archive size={14} aria-hidden /> Backups
          </Link>
          <a
            href={`/api/v1/vms/${chain.vm.id}/bundle`}
            download={`driftline-vm-${chain.vm.id}.json`}
            className={buttonLook()}
          >
            <Download size={14} aria-hidden /> Support bundle
          </a>
          <Button onClick={props.onValidate} disabled={props.isValidating} unavailable={props.noValidate}>
            <ShieldCheck size={14} aria-hidden /> {props.isValidating ? "Validating…" : "Validate"}
          </Button>
          <Button look="primary" onClick={props.onObserve} disabled={props.isObserving} unavailable={props.noObserve}>
            <Eye size={14} aria-hidden /> {props.isObserving ? "Observing…" : "Observe now"}
          </Button>
        </div>
      </div>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1.5">
        <div className="flex flex-wrap gap-x-3.5 gap-y-1.5">
          <Axis name="Agreement">
            <AxisBadge
              pill
              axis={{ axis: "agreement", value: past && vm ? vm.lastKnown.agreement : chain.agreement }}
              past={past}
            />
          </Axis>
          <Axis name="Next backup">
            <AxisBadge pill axis={{ axis: "nextBackup", value: nextBackupOf(chain, past) }} past={past} />
          </Axis>
          <Axis name="Observation">
            <AxisBadge pill axis={{ axis: "freshness", value: chain.freshness }} past={past} />
          </Axis>
        </div>
        <span className="text-ink-2">
          {chain.host.observedAt ? (
            <>
              read <Moment at={chain.host.observedAt} />
              {chain.host.source && ` ${SOURCES[chain.host.source]}`}
            </>
          ) : (
            "never read"
          )}
        </span>
        <span className={cx("text-ink-2", past && "hatched rounded-sm px-1")}>
          {past && chain.vm.power !== "unknown" ? "was " : ""}
          {past ? POWER_LABELS[chain.vm.power].label.toLowerCase() : POWER_LABELS[chain.vm.power].label}
        </span>
        <span className="text-ink-2">
          {plural(chain.record.checkpoints.length, "checkpoint")} recorded,{" "}
          {chain.host.checkpoints ? `${chain.host.checkpoints.length} on the host` : "on the host: cannot tell"}
        </span>
        {chain.findings.length > 0 && (
          <a href="#findings-title" className="inline-flex min-h-6 items-center underline underline-offset-2 xl:hidden">
            {plural(chain.findings.length, "finding")}
          </a>
        )}
      </div>
    </div>
  );
}

function Axis({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span className="inline-flex max-w-full items-center gap-1.5">
      <span className="text-xs text-ink-3">
        {name}
        <span className="sr-only">: </span>
      </span>
      {children}
    </span>
  );
}
