import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Histogram({
      name: "driftline_http_request_seconds",
      help: "Time to the head of the answer of an API request",
      labelNames: ["call", "status"],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    }),
    observed: new Counter({
      name: "driftline_observed_vms_total",
      // No host's name: /metrics is answered without a key. The agents' own metrics tell the hosts apart.
      help: "VMs read from hosts, by result",
      labelNames: ["result"],
      registers,
    }),
    refusals: new Counter({
      name: "driftline_refusals_total",
      help: "Requests refused for who asked or from where",
      labelNames: ["code"],
      registers,
    }),
    vms: new Gauge({ name: "driftline_vms", help: "VMs by stored agreement", labelNames: ["agreement"], registers }),
    hosts: new Gauge({ name: "driftline_hosts", help: "Configured hosts by state", labelNames: ["state"], registers }),
    streams: new Gauge({ name: "driftline_event_streams", help: "Open event streams of this process", registers }),
  };
}
