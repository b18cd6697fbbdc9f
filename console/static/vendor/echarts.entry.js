import * as core from "echarts/core";
import { LineChart, BarChart, HeatmapChart } from "echarts/charts";
import { GridComponent, TooltipComponent, LegendComponent, MarkLineComponent, MarkAreaComponent, DataZoomInsideComponent, DataZoomSliderComponent, VisualMapContinuousComponent, AriaComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
core.use([LineChart, BarChart, HeatmapChart, GridComponent, TooltipComponent, LegendComponent, MarkLineComponent, MarkAreaComponent, DataZoomInsideComponent, DataZoomSliderComponent, VisualMapContinuousComponent, AriaComponent, CanvasRenderer]);
export const init = core.init;
export const getInstanceByDom = core.getInstanceByDom;
export const version = core.version;
