"use client";
import { Command as Cmdk } from "cmdk";
import type { Command } from "#client/commands.tsx";
import { Kbd } from "#components/ui/kbd.tsx";

/** Every command that the screen offers, found by typing. One that is not available says why. */
export default function PaletteDialog({ commands, onClose }: { commands: Command[]; onClose: () => void }) {
  const shown = commands.filter((command) => !command.hidden);
  const groups = [...new Set(shown.map((command) => command.group))];
  return (
    <Cmdk.Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      label="Commands"
      overlayClassName="fixed inset-0 z-40 bg-[rgb(0_0_0/0.4)]"
      contentClassName="fixed top-[12vh] left-1/2 z-50 w-[min(36rem,calc(100vw-1.5rem))] -translate-x-1/2 overflow-hidden rounded-lg border border-line bg-raised shadow-[0_16px_48px_var(--shadow)]"
    >
      <Cmdk.Input
        placeholder="What do you want to do?"
        className="h-12 w-full border-b border-line bg-transparent px-4 text-base outline-none placeholder:text-ink-3"
      />
      <Cmdk.List className="scroll-thin max-h-[50vh] overflow-y-auto p-1.5">
        <Cmdk.Empty className="px-3 py-8 text-center text-ink-2">No command matches.</Cmdk.Empty>
        {groups.map((group) => (
          <Cmdk.Group
            key={group}
            heading={group}
            className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-ink-3"
          >
            {shown
              .filter((command) => command.group === group)
              .map((command) => (
                <Cmdk.Item
                  key={command.id}
                  value={`${command.title} ${command.id}`}
                  disabled={Boolean(command.unavailable)}
                  onSelect={() => {
                    onClose();
                    command.run();
                  }}
                  className="flex min-h-9 items-center gap-3 rounded-md px-2.5 data-[disabled=true]:text-ink-3 data-[selected=true]:bg-hover data-[selected=true]:outline data-[selected=true]:outline-1 data-[selected=true]:outline-line-strong"
                >
                  <span className="flex-1">
                    {command.title}
                    {command.unavailable && <span className="block text-xs text-ink-3">{command.unavailable}</span>}
                  </span>
                  {command.key && <Kbd>{command.key}</Kbd>}
                </Cmdk.Item>
              ))}
          </Cmdk.Group>
        ))}
      </Cmdk.List>
    </Cmdk.Dialog>
  );
}
