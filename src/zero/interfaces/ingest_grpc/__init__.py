"""The gRPC door: message bytes go to the native decoder as they came."""
