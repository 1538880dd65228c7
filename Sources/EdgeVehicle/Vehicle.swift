internal import EdgeCAN
