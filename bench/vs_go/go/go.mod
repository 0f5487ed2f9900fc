module gotorch/bench/vs_go

go 1.27
