"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useApi } from "#client/api.ts";
import { workTitle } from "#client/intents.ts";
import { engineQueries } from "#client/queries.ts";
import { whatStays } from "#client/work-words.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import type { JobView } from "#contract/engine-jobs.ts";

/** Asks before a job is stopped, and says what stays behind. The first button lets it run. */
export function CancelDialog({ job, onClose }: { job: JobView; onClose: () => void }) {
  const api = useApi();
  const queryClient = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => api.jobs.cancel({ jobId: job.id }),
    onSuccess: (next) => {
      queryClient.setQueryData(engineQueries(api).job(job.id).queryKey, next);
      onClose();
    },
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Cancel this job?"
      description={workTitle(job.kind, job.vmName)}
    >
      <h3 className="font-medium">What stays behind</h3>
      <ul className="mt-1 list-disc space-y-1 pl-5">
        {whatStays(job).map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
      {cancel.isError && (
        <div className="mt-3">
          <Refusal what="It was not cancelled" error={cancel.error} />
        </div>
      )}
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        <Button autoFocus onClick={onClose}>
          Let it run
        </Button>
        <Button look="primary" disabled={cancel.isPending} onClick={() => cancel.mutate()}>
          {cancel.isPending ? "Cancelling…" : "Cancel the job"}
        </Button>
      </div>
    </Dialog>
  );
}
