import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useAnnounce } from "#client/announce.tsx";
import { useApi } from "#client/api.ts";
import { notify, notifyProblem } from "#client/notify.ts";
import { engineQueries } from "#client/queries.ts";
import { groundOf } from "#client/validation.ts";

/** The two reads that a person can ask for. Neither changes anything on the host. */
export function useVmReads(vmId: string) {
  const api = useApi();
  const queryClient = useQueryClient();
  const announce = useAnnounce();
  const fail = (what: string) => (error: unknown) => {
    notifyProblem(what, error);
    void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "chain"] });
  };
  const observe = useMutation({
    mutationFn: () => api.vms.observe({ vmId }),
    onSuccess: (chain) => {
      queryClient.setQueryData(engineQueries(api).chain(vmId).queryKey, chain);
      void queryClient.invalidateQueries({ queryKey: ["vm", vmId, "summary"] });
      notify(chain.host.status === "observed" ? "The host was read." : "The host could not be read.");
    },
    onError: fail("Could not observe"),
  });
  const validate = useMutation({
    mutationFn: async () => {
      const result = await api.vms.validate({ vmId });
      const chain = queryClient.getQueryData(engineQueries(api).chain(vmId).queryKey);
      return { ...result, ground: chain ? groundOf(chain) : null };
    },
    onSuccess: (result) =>
      announce(
        result.valid === null ? "Cannot tell whether the set is valid." : result.valid ? "Valid." : "Not valid.",
      ),
    onError: fail("Could not validate"),
  });
  return { observe, validate };
}
