# SPDX-License-Identifier: Apache-2.0
"""Optical flow of a clip against that of its reference, or against the flow that the controls should give.

The measures and the camera are those of FastVideo's evaluation, which takes the flow from a network (DPFlow). Here it
is given in files, or estimated by OpenCV's DIS under ids of its own, since values of two estimators do not compare.
"""
