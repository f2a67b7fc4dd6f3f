"use client";
import { Copy } from "lucide-react";
import { useCopy } from "#client/copy.ts";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";

export type Secret = { title: string; text: string; what: string; hint: string };

/** A link or key that nobody can show again. */
export function ShownOnce({ secret, onClose }: { secret: Secret; onClose: () => void }) {
  const copy = useCopy();
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={secret.title} description={secret.hint}>
      <p data-secret className="rounded-md border border-line bg-surface p-3 font-mono text-xs break-all select-all">
        {secret.text}
      </p>
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        <Button onClick={() => copy(secret.text, secret.what)}>
          <Copy size={14} aria-hidden /> Copy
        </Button>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
