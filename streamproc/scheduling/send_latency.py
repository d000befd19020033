from streamproc.scheduling.latency_model import SendLatency as SendLatency
