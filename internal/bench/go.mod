module github.com/crossprem/crossprem/internal/bench

go 1.26.0

require github.com/crossprem/crossprem v0.0.0

require github.com/klauspost/compress v1.20.3 // indirect

replace github.com/crossprem/crossprem => ../..
