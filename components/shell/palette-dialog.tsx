"use client";
import { useQuery } from "@tanstack/react-query";
import { Command as Cmdk } from "cmdk";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { useApi } from "#client/api.ts";
import type { Command } from "#client/commands.tsx";
import { Kbd } from "#components/ui/kbd.tsx";
import type { VmRow } from "#contract/engine-vms.ts";

/** VMs offered while somebody types, and from how many letters on. */
const OFFERED = 6;
const LEAST_LETTERS = 2;
/** What is the same everywhere comes after what this screen can do. */
const LAST_GROUPS = ["Share", "Go", "Appearance", "Help"];
const HEADING =
  "[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-ink-3";
const ITEM =
  "flex min-h-9 items-center gap-3 rounded-md px-2.5 data-[disabled=true]:text-ink-3 data-[selected=true]:bg-hover data-[selected=true]:outline data-[selected=true]:outline-1 data-[selected=true]:outline-line-strong";

/** Every command that the screen offers and every VM, found by typing. What is not available says why. */
export function PaletteDialog({ commands, onClose }: { commands: Command[]; onClose: () => void }) {
  const [text, setText] = useState("");
  const typed = text.trim();
  const search = useVmSearch(typed);
  const shown = commands.filter((command) => !command.hidden);
  const rank = (group: string) => LAST_GROUPS.indexOf(group);
  const groups = [...new Set(shown.map((command) => command.group))].sort((left, right) => rank(left) - rank(right));
  return (
    <Cmdk.Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      label="Commands"
      overlayClassName="fixed inset-0 z-40 bg-[rgb(0_0_0/0.4)]"
      contentClassName="fixed top-[12vh] left-1/2 z-50 w-[min(36rem,calc(100vw-1.5rem))] -translate-x-1/2 overflow-hidden rounded-lg border border-line bg-raised shadow-[0_16px_48px_var(--shadow)]"
    >
      <Cmdk.Input
        value={text}
        onValueChange={setText}
        maxLength={200}
        placeholder="What do you want to do, or which VM?"
        className="h-12 w-full border-b border-line bg-transparent px-4 text-base outline-none placeholder:text-ink-3"
      />
      <Cmdk.List className="scroll-thin max-h-[50vh] overflow-y-auto p-1.5">
        <Cmdk.Empty className="px-3 py-8 text-center text-ink-2">{nothingWords(typed, search)}</Cmdk.Empty>
        <VmItems vms={typed.length >= LEAST_LETTERS ? (search.data?.items ?? []) : []} onClose={onClose} />
        {groups.map((group) => (
          <Cmdk.Group key={group} heading={group} className={HEADING}>
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
                  className={ITEM}
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

/** VMs that have what was typed in their name or id, as the fleet's own search finds them. */
function useVmSearch(text: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["vms", "palette", text],
    queryFn: ({ signal }) => api.vms.list({ q: text, limit: OFFERED, sort: "name" }, { signal }),
    enabled: text.length >= LEAST_LETTERS,
    staleTime: 30_000,
    placeholderData: (old) => old,
  });
}

/** Nothing is listed: only an answer about what stands typed says that there is no such VM. */
export function nothingWords(
  typed: string,
  search: Pick<ReturnType<typeof useVmSearch>, "isError" | "isSuccess" | "isPlaceholderData">,
): string {
  if (typed.length < LEAST_LETTERS) return `No command matches. VMs are searched from ${LEAST_LETTERS} letters on.`;
  if (search.isError) return "No command matches. The VMs could not be searched.";
  if (!search.isSuccess || search.isPlaceholderData) return "No command matches. Searching the VMs…";
  return "No command and no VM matches.";
}

function VmItems({ vms, onClose }: { vms: VmRow[]; onClose: () => void }) {
  const router = useRouter();
  if (vms.length === 0) return null;
  return (
    <Cmdk.Group heading="VMs" className={HEADING}>
      {vms.map((vm) => (
        <Cmdk.Item
          key={vm.id}
          value={`${vm.name} ${vm.id}`}
          onSelect={() => {
            onClose();
            router.push(`/vms/${vm.id}`);
          }}
          className={ITEM}
        >
          <span className="min-w-0 flex-1 truncate">{vm.name}</span>
          <span className="text-xs text-ink-3">{vm.hostName ?? "no host"}</span>
        </Cmdk.Item>
      ))}
    </Cmdk.Group>
  );
}
