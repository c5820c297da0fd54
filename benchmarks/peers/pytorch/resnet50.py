#!/usr/bin/python3
"""Writes ResNet-50 with random weights as frozen TorchScript in bf16, its weights channels-last, its batch norms folded.

Usage: resnet50.py FILE        needs PyTorch, such as Debian's python3-torch
"""
import sys

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, changes):
        super().__init__()
        self.a = nn.Conv2d(inputs, width, 1)
        self.b = nn.Conv2d(width, width, 3, stride, 1)
        self.c = nn.Conv2d(width, 4 * width, 1)
        nn.init.normal_(self.c.weight, 0, 0.3 * (2 / width) ** 0.5)  # so that sums do not grow
        self.shortcut = nn.Conv2d(inputs, 4 * width, 1, stride) if changes else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.b(torch.relu(self.a(x))))
        return torch.relu(self.c(y) + self.shortcut(x))


def resnet50():
    layers = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        for i in range(blocks):
            width = 64 << stage
            layers.append(Bottleneck(inputs, width, 2 if stage > 0 and i == 0 else 1, i == 0))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


def main():
    torch.manual_seed(1)
    model = resnet50().eval().to(torch.bfloat16)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 4:
                p.data = p.data.contiguous(memory_format=torch.channels_last)
    torch.jit.freeze(torch.jit.script(model)).save(sys.argv[1])


main()
