import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useAnnounce } from "#client/announce.tsx";
import { useApi } from "#client/api.ts";
import { notify } from "#client/notify.ts";
import { toProblemView } from "#client/problem.ts";
import { engineQueries } from "#client/queries.ts";

/** The two reads that a person can ask for. Neither changes anything on the host. */
export function useVmReads(vmId: string) {
  const api = useApi();
  const queryClient = useQueryClient();
  const announce = useAnnounce();
  const fail = (what: string) => (error: unknown) => {
    const { detail, hostMessage, code } = toProblemView(error);
    notify(`${what}: ${detail}`, { detail: hostMessage ?? code, isError: true });
    announce(`${what}: ${detail}`);
    void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "chain"] });
  };
  const observe = useMutation({
    mutationFn: () => api.vms.observe({ vmId }),
    onSuccess: (chain) => {
      queryClient.setQueryData(engineQueries(api).chain(vmId).queryKey, chain);
      void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "summary"] });
      const said = chain.host.status === "observed" ? "The host was read." : "The host could not be read.";
      notify(said);
      announce(said);
    },
    onError: fail("Could not observe"),
  });
  const validate = useMutation({
    mutationFn: () => api.vms.validate({ vmId }),
    onSuccess: (result) =>
      announce(
        result.valid === null ? "Cannot tell whether the set is valid." : result.valid ? "Valid." : "Not valid.",
      ),
    onError: fail("Could not validate"),
  });
  return { observe, validate };
}
