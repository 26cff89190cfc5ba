"""How good results are: PQ, VPQ, STQ, J&F and id switches, of pictures, videos and folders."""
