import { FlaskConical } from "lucide-react";

/** Permanent while anything on the screen comes from a simulated host: nothing below happened on a real machine. */
export function SimulatedBanner() {
  return (
    <div role="note" className="flex items-center gap-2 border-b border-line bg-info-bg px-4 py-1.5 text-info">
      <FlaskConical size={15} aria-hidden className="shrink-0" />
      <span>
        <strong className="font-semibold">Simulated host.</strong> What is shown here comes from no real libvirt or
        QEMU.
      </span>
    </div>
  );
}
