"use client";
import { useEffect, useState } from "react";
import { areSingleKeysOn, setSingleKeys } from "#client/commands.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Kbd } from "#components/ui/kbd.tsx";

const KEYS: readonly { keys: readonly string[]; does: string }[] = [
  { keys: ["Ctrl", "K"], does: "Command palette (⌘ K on a Mac)" },
  { keys: ["?"], does: "This help" },
  { keys: ["/"], does: "Go to the filter" },
  { keys: ["j", "k"], does: "Next and previous row or checkpoint" },
  { keys: ["Enter"], does: "Open the row" },
  { keys: ["x"], does: "Select the row for a plan over several VMs" },
  { keys: ["n", "N"], does: "Next and previous finding" },
  { keys: ["o"], does: "Overlay: both, record, host" },
  { keys: ["y"], does: "Copy a permanent link to what is shown" },
  { keys: ["c"], does: "Copy what is selected as text" },
  { keys: ["Esc"], does: "Back out of a selection" },
];
/** What has no key on purpose. */
const WITHOUT_KEY =
  "Backups, plans, applying and cancelling have no single key. They are in the command palette and on the screen.";

/** The keyboard, and the switch that turns single keys off. */
export function HelpDialog(props: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const [isOn, setOn] = useState(true);
  useEffect(() => setOn(areSingleKeysOn()), []);
  return (
    <Dialog {...props} title="Keyboard" description="Single keys work outside fields. None of them destroys anything.">
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-1.5">
        {KEYS.map(({ keys, does }) => (
          <div key={does} className="contents">
            <dt className="flex gap-1">
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd className="text-ink-2">{does}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-ink-2">{WITHOUT_KEY}</p>
      <label className="mt-4 flex min-h-8 items-center gap-2 border-t border-line pt-4">
        <input
          type="checkbox"
          className="size-4 accent-[var(--ink)]"
          checked={isOn}
          onChange={(event) => {
            setSingleKeys(event.target.checked);
            setOn(event.target.checked);
          }}
        />
        Single-key shortcuts in this browser
      </label>
    </Dialog>
  );
}
